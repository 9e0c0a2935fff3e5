import assert from "node:assert/strict";
import { describe, test } from "node:test";
import fc from "fast-check";
import { fuzzRuns } from "../../tests/support/byte-mutations.ts";
import { proveCaught } from "../../tests/support/prove-caught.ts";
import { dataBody, epochStart, StoreFixture, termOf } from "../../tests/support/store-fixture.ts";
import { readAll } from "../../tests/support/log-fixture.ts";
import { encodeEntry, EntryFormatError, SPACE, type EntryBody } from "../model/entry.ts";
import { LIMITS } from "../model/limits.ts";
import type { Epoch, Sequence } from "../model/position.ts";
import { TREE_META } from "./applier.ts";

const EVERYTHING = Number.MAX_SAFE_INTEGER;

describe("appending to a store", () => {
  test("shows an entry at once, writes and flushes it, and settles it when it is committed as well", () => {
    const { fixture, store } = leading();
    fixture.told.length = 0;
    const sequence = fixture.append({ k: "v" });
    assert.equal(sequence, 2);
    assert.equal(fixture.read("k"), "v");
    assert.equal(fixture.read("k", store.settledSequence), null);
    assert.deepEqual([store.lastSequence, store.durableSequence, store.settledSequence], [2, 1, 0]);
    fixture.settle();
    assert.deepEqual(fixture.told, ["written 2", "flushed 2"]);
    assert.deepEqual([store.durableSequence, store.commitSequence, store.settledSequence], [2, 0, 0]);
    store.commit(2);
    assert.deepEqual([store.commitSequence, store.settledSequence], [2, 2]);
    assert.equal(fixture.read("k", store.settledSequence), "v");
  });

  test("settles what is committed elsewhere only when it is flushed here (D5)", () => {
    const { fixture, store } = leading();
    fixture.disk.faults.flushMs = () => 100;
    fixture.append({ k: "v" });
    fixture.timers.advance(10);
    store.commit(2);
    assert.deepEqual([store.commitSequence, store.settledSequence], [2, 1]);
    fixture.timers.advance(100);
    assert.equal(store.settledSequence, 2);
  });

  test("never moves the commit position back", () => {
    const { fixture, store } = leading();
    fixture.append({ k: "v" });
    fixture.settle();
    store.commit(2);
    store.commit(1);
    assert.equal(store.commitSequence, 2);
  });

  test("has the effect where everybody looks before the batch goes to the log (S9)", () => {
    const check = (): void => {
      const { fixture } = leading();
      fixture.append({ k: "v" });
      assert.equal(fixture.read("k"), "v");
    };
    proveCaught("M47", check);
  });

  test("gives each request a version of its own, also in one batch (G2)", () => {
    const check = (): void => {
      const { fixture, store } = leading();
      const announced = [0, 1, 2].map((i) => {
        const { nextVersion } = store;
        fixture.append({ [`k${i}`]: "v" });
        return nextVersion;
      });
      const stored = [0, 1, 2].map((i) => store.view.get(SPACE.user, `k${i}`, EVERYTHING).record?.version);
      assert.deepEqual(stored, announced);
      assert.equal(new Set(stored).size, 3);
    };
    proveCaught("M101", check);
  });

  test("counts versions from the base of the leadership that is in force", () => {
    const { fixture, store } = leading();
    fixture.append({ a: "1" });
    fixture.lead(2, { versionBase: 5000 });
    assert.equal(store.versionBase, 5000);
    fixture.append({ b: "2" });
    const versionOf = (key: string): number | undefined => store.view.get(SPACE.user, key, EVERYTHING).record?.version;
    assert.deepEqual([versionOf("a"), versionOf("b"), store.nextVersion], [2, 5004, 5005]);
  });

  test("asks the log for room for what is queued as well (S4, M66)", () => {
    const check = (): void => {
      const { fixture, store } = leading();
      fixture.disk.faults.fillerBytes = 1e12;
      fixture.disk.faults.capacityBytes = 1e12;
      const value = "x".repeat(500);
      for (let i = 0; i < 100 && store.roomFor(600) === "yes"; i++) fixture.append({ [`k${i}`]: value });
      assert.notEqual(store.roomFor(600), "yes", "a small segment is full at some time");
      fixture.settle();
      assert.deepEqual(fixture.fatal, []);
      assert.equal(store.durableSequence, store.lastSequence);
    };
    proveCaught("M66", check);
  });
});

describe("a store and its tree", () => {
  test("brings what is settled into the tree after five seconds, and lets go of it in memory", () => {
    const { fixture, store } = leading();
    fixture.append({ k: "v" });
    fixture.settle();
    store.commit(2);
    assert.equal(fixture.inTree("k"), null);
    fixture.timers.advance(LIMITS.applyDelayMs);
    assert.equal(fixture.inTree("k"), "v");
    assert.equal(fixture.told.at(-1), "applied 2");
    assert.equal(store.appliedSequence, 2);
    assert.equal(store.memtable.sizeBytes, 0);
    assert.equal(fixture.read("k"), "v");
  });

  test("never takes what is not committed into the tree, however long it lies there", () => {
    const { fixture, store } = leading();
    fixture.append({ a: "committed" });
    fixture.append({ a: "uncommitted", b: "uncommitted" });
    fixture.settle();
    store.commit(2);
    fixture.timers.advance(60_000);
    store.applyNow();
    fixture.timers.advance(60_000);
    assert.equal(fixture.inTree("a"), "committed");
    assert.equal(fixture.inTree("b"), null);
    assert.equal(fixture.read("a"), "uncommitted");
    fixture.crash();
    assert.equal(fixture.inTree("a"), "committed");
    assert.equal(fixture.read("a", fixture.store.settledSequence), "committed");
  });

  test("never takes in what is committed but not flushed here, so that the tree is never ahead of the log (M102)", () => {
    const check = (): void => {
      const fixture = new StoreFixture();
      fixture.open();
      fixture.lead(1);
      fixture.append({ a: "1" });
      fixture.settle();
      fixture.store.commit(2);
      fixture.disk.faults.flushMs = () => 1e9;
      fixture.append({ b: "2" });
      fixture.timers.advance(10);
      fixture.store.commit(3);
      fixture.store.applyNow();
      fixture.timers.advance(60_000);
      assert.equal(fixture.inTree("b"), null);
      fixture.disk.faults.flushMs = () => 0;
      fixture.powerCut();
      assert.deepEqual(fixture.damages, []);
    };
    proveCaught("M102", check);
  });

  test("hides cleared rows also while the tree has the clear and the memtable still holds the rows", () => {
    const { fixture, store } = leading();
    fixture.append({ a: "1" });
    store.append(store.lastEpoch, { kind: "clear" });
    fixture.append({ b: "uncommitted" });
    fixture.settle();
    store.commit(3);
    store.applyNow();
    fixture.settle();
    assert.equal(store.appliedSequence, 3);
    assert.equal(fixture.read("a"), null);
    assert.equal(fixture.read("b"), "uncommitted");
  });

  test("keeps the log clock and the version base of the tree through a restart with an empty tail", () => {
    const { fixture } = leading();
    fixture.lead(2, { versionBase: 700 });
    fixture.append({ k: "v" });
    fixture.settle();
    const { lastTimestampMs } = fixture.store.clock;
    fixture.store.commit(3);
    fixture.store.applyNow();
    fixture.settle();
    const { store } = { store: fixture.crash() };
    assert.equal(store.versionBase, 700);
    assert.ok(store.clock.lastTimestampMs >= lastTimestampMs);
    assert.equal(store.tree.meta(TREE_META.versionBase), "700");
    assert.equal(store.nextVersion, 704);
  });
});

describe("a store that starts again", () => {
  test("replays what the log holds beyond the tree, committed or not", () => {
    const { fixture } = leading();
    fixture.append({ a: "1", b: "1" });
    fixture.settle();
    fixture.store.commit(2);
    fixture.store.applyNow();
    fixture.settle();
    fixture.append({ b: "2" });
    fixture.lead(2, { versionBase: 100 });
    fixture.append({ c: "3" });
    fixture.settle();
    const store = fixture.crash();
    assert.deepEqual(
      ["a", "b", "c"].map((key) => fixture.read(key)),
      ["1", "2", "3"],
    );
    assert.deepEqual([store.lastSequence, store.durableSequence, store.appliedSequence], [5, 5, 2]);
    assert.deepEqual(store.lastEpoch, { epoch: 2, term: termOf(2) });
    assert.equal(store.settledSequence, 2);
    assert.equal(store.nextVersion, 106);
    assert.equal(store.view.get(SPACE.user, "c", EVERYTHING).record?.version, 105);
    assert.equal(store.view.get(SPACE.user, "b", EVERYTHING).record?.version, 3);
    assert.equal(fixture.read("b", store.settledSequence), "1");
  });

  test("knows as committed what a batch header said, but never more than its log holds", () => {
    let isTorn = false;
    let isWhole = false;
    for (let seed = 0; seed < 30; seed++) {
      const { fixture } = leading(seed);
      fixture.disk.faults.flushMs = () => 1e9;
      fixture.append({ a: "1".repeat(600) });
      fixture.append({ b: "2".repeat(600) });
      // A replica learns of commits that are ahead of its own flush, and writes them into its next batch's header.
      fixture.store.commit(3);
      fixture.timers.advance(10);
      assert.equal(fixture.log.lastSequence, 3);
      fixture.disk.faults.flushMs = () => 0;
      const store = fixture.powerCut();
      assert.ok(
        store.commitSequence <= store.lastSequence,
        `commit ${store.commitSequence}, end ${store.lastSequence}`,
      );
      if (store.lastSequence === 3) assert.equal(store.commitSequence, 3);
      isTorn ||= store.lastSequence < 3;
      isWhole ||= store.lastSequence === 3;
    }
    assert.ok(isTorn && isWhole, "the cut tore some batches and left others whole");
  });

  test("finds nothing of what was never flushed to be settled after a power cut", () => {
    const { fixture } = leading();
    fixture.append({ a: "1" });
    fixture.settle();
    fixture.store.commit(2);
    fixture.disk.faults.flushMs = () => 1e9;
    fixture.append({ a: "2" });
    fixture.timers.advance(100);
    fixture.disk.faults.flushMs = () => 0;
    const store = fixture.powerCut();
    assert.equal(fixture.read("a", store.settledSequence), store.settledSequence === 0 ? null : "1");
    assert.ok(store.settledSequence <= 2);
    assert.equal(fixture.read("a"), store.lastSequence === 3 ? "2" : "1");
  });

  test("is damaged when the tree is ahead of its log, and must be copied anew", () => {
    const { fixture } = leading();
    fixture.append({ a: "1" });
    fixture.settle();
    fixture.store.commit(2);
    fixture.store.applyNow();
    fixture.settle();
    fixture.disk.wipe("/node");
    fixture.crash();
    assert.equal(fixture.damages.length, 1);
    assert.match(fixture.damages[0] ?? "", /^resync: The log ends at entry 0, but the tree holds entries up to 2/);
  });

  test("is damaged when its log begins behind the end of its tree", () => {
    const { fixture } = leading();
    fixture.store.restartBehind({ sequence: 10, epochs: fixture.log.epochs }, 0);
    fixture.crash();
    assert.match(fixture.damages[0] ?? "", /^resync: The log begins at entry 11, but the tree ends at 0/);
  });
});

describe("cutting a store", () => {
  test("takes what was cut out of log and memtable, and hands its bytes over before", () => {
    const { fixture, store } = leading();
    fixture.append({ a: "kept" });
    fixture.append({ a: "cut", b: "cut" });
    fixture.settle();
    store.commit(2);
    const [, , last] = readAll(fixture.log);
    const kept: Buffer[] = [];
    const byteCount = store.truncateAfter(2, (cut) => {
      assert.equal(fixture.log.lastSequence, 3, "nothing is gone yet");
      kept.push(Buffer.from(cut));
    });
    assert.deepEqual(kept, [last]);
    assert.equal(byteCount, last?.length);
    assert.deepEqual([fixture.read("a"), fixture.read("b")], ["kept", null]);
    assert.deepEqual([store.lastSequence, store.durableSequence, fixture.log.lastSequence], [2, 2, 2]);
    fixture.append({ a: "new" });
    fixture.settle();
    const again = fixture.crash();
    assert.equal(fixture.read("a"), "new");
    assert.equal(again.lastSequence, 3);
  });

  test("behind an older leadership goes back to its term and its version base", () => {
    const { fixture, store } = leading();
    fixture.append({ a: "1" });
    fixture.lead(2, { versionBase: 900 });
    assert.deepEqual(store.lastEpoch, { epoch: 2, term: termOf(2) });
    store.truncateAfter(2, () => {});
    assert.deepEqual(store.lastEpoch, { epoch: 1, term: termOf(1) });
    assert.equal(store.versionBase, 0);
    assert.equal(store.nextVersion, 3);
  });

  test("leaves nothing uncommitted behind that was cut (M31)", () => {
    const check = (): void => {
      const { fixture, store } = leading();
      fixture.append({ a: "kept" });
      fixture.append({ a: "cut" });
      fixture.settle();
      store.commit(2);
      store.truncateAfter(2, () => {});
      assert.equal(fixture.read("a"), "kept");
    };
    proveCaught("M31", check);
  });

  test("is refused below what is settled (P2, M33)", () => {
    const check = (): void => {
      const { fixture, store } = leading();
      fixture.append({ a: "committed" });
      fixture.settle();
      store.commit(2);
      let message = "";
      try {
        store.truncateAfter(1, () => {});
      } catch (error) {
        message = String(error);
      }
      assert.match(message, /never cut below what is settled/);
      assert.equal(fixture.read("a"), "committed");
    };
    proveCaught("M33", check);
  });

  test("waits for the flush under way, and drops what was not written yet", () => {
    const { fixture, store } = leading();
    fixture.disk.faults.flushMs = () => 20;
    fixture.append({ a: "written" });
    fixture.timers.advance(1);
    fixture.append({ a: "queued" });
    assert.equal(fixture.read("a"), "queued");
    let isQuiet = false;
    store.quiesce(() => {
      isQuiet = true;
    });
    assert.ok(!isQuiet);
    fixture.timers.advance(50);
    assert.ok(isQuiet);
    assert.deepEqual([store.lastSequence, fixture.log.lastSequence], [2, 2]);
    assert.equal(fixture.read("a"), "written");
    assert.equal(fixture.append({ a: "next" }), 3);
  });

  test("a commit of entries that were dropped does not make those committed that come in their place", () => {
    const { fixture, store } = leading();
    fixture.disk.faults.flushMs = () => 20;
    fixture.append({ a: "1" });
    fixture.timers.advance(1);
    fixture.append({ a: "2" });
    fixture.append({ a: "3" });
    store.commit(4);
    store.quiesce(() => {});
    fixture.timers.advance(50);
    assert.equal(store.lastSequence, 2);
    assert.equal(store.commitSequence, 2);
    fixture.append({ a: "other" });
    fixture.settle();
    assert.equal(store.settledSequence, 2);
    assert.equal(fixture.read("a", store.settledSequence), "1");
  });
});

describe("receiving entries", () => {
  const raw = (sequence: Sequence, epoch: Epoch, body: EntryBody): Buffer =>
    encodeEntry({ epoch, sequence, timestampMs: 5000 + sequence, body });
  const start = (sequence: Sequence, epoch: Epoch): Buffer => raw(sequence, epoch, epochStart(termOf(epoch)));
  const data = (sequence: Sequence, epoch: Epoch, text = "v"): Buffer => raw(sequence, epoch, dataBody({ k: text }));

  test("appends the same bytes, flushes them and follows their leadership, clock and versions", () => {
    const fixture = new StoreFixture();
    const store = fixture.open();
    const sent = [
      start(1, 3),
      data(2, 3, "one"),
      raw(3, 7, epochStart(termOf(7), { versionBase: 50 })),
      data(4, 7, "two"),
    ];
    store.receive(Buffer.concat(sent), 7);
    fixture.settle();
    assert.deepEqual(readAll(fixture.log), sent);
    assert.deepEqual(store.lastEpoch, { epoch: 7, term: termOf(7) });
    assert.equal(store.view.get(SPACE.user, "k", EVERYTHING).record?.version, 54);
    assert.equal(store.clock.lastTimestampMs, 5004);
    assert.equal(store.durableSequence, 4);
    assert.equal(fixture.read("k", store.settledSequence), null);
  });

  const refusals: readonly (readonly [name: string, sent: readonly Buffer[]])[] = [
    ["a gap", [data(3, 1), data(5, 1)]],
    ["a gap at once", [data(4, 1)]],
    ["an entry that is here already", [data(2, 1)]],
    ["the same entry twice", [data(3, 1), data(3, 1)]],
    ["an epoch that falls", [start(3, 2), data(4, 1)]],
    ["an epoch beyond the leader's", [start(3, 9)]],
    ["an epoch without its start", [data(3, 1), data(4, 2)]],
    ["a second start of the same epoch", [data(3, 1), start(4, 1)]],
    ["bytes that are cut off", [data(3, 1), data(4, 1).subarray(0, 20)]],
    ["a flipped bit", [data(3, 1), flipped(data(4, 1))]],
    ["bytes that are no entry", [data(3, 1), Buffer.alloc(40)]],
  ];
  for (const [name, sent] of refusals) {
    test(`refuses ${name}, with nothing appended`, () => {
      const { fixture, store } = leading();
      fixture.append({ k: "own" });
      fixture.settle();
      assert.throws(() => store.receive(Buffer.concat(sent), 5), EntryFormatError);
      fixture.settle();
      assert.deepEqual([store.lastSequence, fixture.log.lastSequence], [2, 2]);
      assert.deepEqual(store.lastEpoch, { epoch: 1, term: termOf(1) });
      assert.equal(fixture.read("k"), "own");
      assert.equal(fixture.append({ k: "next" }), 3);
    });
  }

  test("refuses an entry of epoch 0 in an empty log", () => {
    const fixture = new StoreFixture();
    const store = fixture.open();
    assert.throws(() => store.receive(data(1, 0), 5), EntryFormatError);
    assert.equal(store.lastSequence, 0);
  });
});

describe("a store that starts anew behind a copy", () => {
  test("takes its base for everything, and forgets what it had", () => {
    const { fixture, store } = leading();
    fixture.append({ old: "1" });
    fixture.settle();
    store.commit(2);
    const epochs = [
      { epoch: 1, term: termOf(1), firstSequence: 1, versionBase: 0, lineage: 0 },
      { epoch: 4, term: termOf(4), firstSequence: 30, versionBase: 800, lineage: 1 },
    ];
    store.quiesce(() => store.restartBehind({ sequence: 40, epochs }, 123_456_789_012_345));
    const positions = [store.lastSequence, store.durableSequence, store.commitSequence, store.settledSequence];
    assert.deepEqual([...positions, store.appliedSequence], [40, 40, 40, 40, 40]);
    assert.deepEqual(store.lastEpoch, { epoch: 4, term: termOf(4) });
    assert.equal(store.versionBase, 800);
    assert.equal(store.clock.lastTimestampMs, 123_456_789_012_345);
    assert.equal(fixture.read("old"), null);
    store.receive(encodeEntry({ epoch: 4, sequence: 41, timestampMs: 1, body: dataBody({ new: "2" }) }), 4);
    fixture.settle();
    assert.equal(store.view.get(SPACE.user, "new", EVERYTHING).record?.version, 841);
    assert.equal(fixture.log.startSequence, 41);
  });
});

describe("a store through crashes", () => {
  const step = fc.oneof(
    { weight: 8, arbitrary: fc.record({ kind: fc.constant("append" as const), key: fc.constantFrom("a", "b", "c") }) },
    {
      weight: 1,
      arbitrary: fc.record({ kind: fc.constantFrom("clear" as const, "epoch" as const), key: fc.constant("") }),
    },
    {
      weight: 4,
      arbitrary: fc.record({ kind: fc.constantFrom("wait" as const, "commit" as const), key: fc.constant("") }),
    },
    {
      weight: 2,
      arbitrary: fc.record({ kind: fc.constantFrom("apply" as const, "cut" as const), key: fc.constant("") }),
    },
    {
      weight: 1,
      arbitrary: fc.record({ kind: fc.constantFrom("crash" as const, "powerCut" as const), key: fc.constant("") }),
    },
  );

  test("holds what was settled, shows exactly its log, and has nothing uncommitted in the tree", () => {
    fc.assert(
      fc.property(fc.array(step, { minLength: 5, maxLength: 50 }), (steps) => {
        const world = new World();
        for (const { kind, key } of steps) {
          world.take(kind, key);
          world.check();
        }
      }),
      { numRuns: fuzzRuns(150) },
    );
  });
});

/** A store that leads, and beside it what each entry of its log would make of the rows. */
class World {
  readonly #fixture = new StoreFixture();
  /** Rows after each entry, by sequence. */
  readonly #states: Readonly<Record<string, string>>[] = [{}];
  #settled = 0;
  #committed = 0;
  #writeCount = 0;

  constructor() {
    this.#fixture.open();
    this.#fixture.disk.faults.flushMs = () => 5;
    this.take("epoch", "");
  }

  take(
    kind: "append" | "clear" | "epoch" | "wait" | "commit" | "apply" | "cut" | "crash" | "powerCut",
    key: string,
  ): void {
    const fixture = this.#fixture;
    const { store } = fixture;
    const rows = this.#states.at(-1) ?? {};
    if (kind === "append") {
      const text = `v${this.#writeCount++}`;
      if (store.roomFor(200) !== "yes") return;
      fixture.append({ [key]: text });
      this.#states.push({ ...rows, [key]: text });
    } else if (kind === "clear") {
      store.append(store.lastEpoch, { kind: "clear" });
      this.#states.push({});
    } else if (kind === "epoch") {
      const epoch = store.lastEpoch.epoch + 1;
      store.append({ epoch, term: termOf(epoch) }, epochStart(termOf(epoch), { versionBase: epoch * 1000 }));
      this.#states.push(rows);
    } else if (kind === "wait") fixture.timers.advance(12);
    else if (kind === "commit") {
      this.#committed = Math.max(this.#committed, store.durableSequence);
      store.commit(this.#committed);
    } else if (kind === "apply") store.applyNow();
    else if (kind === "cut") this.#cut();
    else this.#restart(kind);
    this.#settled = Math.max(this.#settled, fixture.store.settledSequence);
  }

  check(): void {
    const fixture = this.#fixture;
    const { store } = fixture;
    assert.deepEqual(fixture.fatal, []);
    assert.deepEqual(fixture.damages, []);
    assert.equal(store.lastSequence, this.#states.length - 1);
    for (const limit of [store.settledSequence, store.lastSequence, EVERYTHING]) {
      const expected = this.#states[Math.min(limit, store.lastSequence)];
      for (const key of ["a", "b", "c"]) assert.equal(fixture.read(key, limit), expected?.[key] ?? null);
    }
    const { appliedSequence, applyingThrough } = store.tree.position();
    assert.ok(appliedSequence <= store.settledSequence && applyingThrough <= store.settledSequence);
    assert.ok(store.settledSequence <= store.durableSequence && store.settledSequence <= store.commitSequence);
    assert.ok(store.commitSequence <= store.lastSequence);
    for (const key of ["a", "b", "c"]) {
      assert.equal(fixture.inTree(key), this.#states[appliedSequence]?.[key] ?? null);
    }
  }

  #cut(): void {
    const { store, timers } = this.#fixture;
    store.quiesce(() => {
      const to = Math.ceil((store.settledSequence + store.lastSequence) / 2);
      // What anybody calls committed is never cut, also when this node has forgotten that it is.
      store.truncateAfter(Math.max(to, this.#committed), () => {});
    });
    timers.advance(20);
    this.#states.length = store.lastSequence + 1;
    if (store.lastEpoch.epoch === 0) this.take("epoch", "");
  }

  #restart(kind: "crash" | "powerCut"): void {
    const durable = this.#fixture.store.durableSequence;
    const store = kind === "crash" ? this.#fixture.crash() : this.#fixture.powerCut();
    assert.ok(store.lastSequence >= durable, "what was flushed is there");
    assert.ok(store.lastSequence >= this.#settled, "and with it everything that was settled");
    this.#states.length = store.lastSequence + 1;
    if (store.lastEpoch.epoch === 0) this.take("epoch", "");
  }
}

function leading(seed = 1): { readonly fixture: StoreFixture; readonly store: StoreFixture["store"] } {
  const fixture = new StoreFixture({ seed });
  const store = fixture.open();
  fixture.lead(1);
  return { fixture, store };
}

function flipped(bytes: Buffer): Buffer {
  const copy = Buffer.from(bytes);
  copy[30] = (copy[30] ?? 0) ^ 4;
  return copy;
}
