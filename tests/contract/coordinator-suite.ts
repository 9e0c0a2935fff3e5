import assert from "node:assert/strict";
import { after, afterEach, before, describe, test } from "node:test";
import type {
  Coordinator,
  ListResult,
  ReadResult,
  StoredDocument,
  SwapResult,
} from "../../src/coordinator/coordinator.ts";
import type { CoordinatorSystem } from "./coordinator-kinds/coordinator-system.ts";

const HINT_MS_MAX = 6000;
const SERVED_MS_MAX = 15_000;

/** One coordinator and short forms of what the suite does with it. */
class Bench {
  readonly system: CoordinatorSystem;
  #keyCount = 0;

  constructor(system: CoordinatorSystem) {
    this.system = system;
  }

  /** A key that no other case uses. */
  freshKey(): string {
    return `/kv/test/shards/s${++this.#keyCount}`;
  }

  async read(coordinator: Coordinator, key: string): Promise<ReadResult> {
    return this.system.ask<ReadResult>((done) => coordinator.read(key, done));
  }

  async list(coordinator: Coordinator, prefix: string): Promise<ListResult> {
    return this.system.ask<ListResult>((done) => coordinator.list(prefix, done));
  }

  async swap(
    coordinator: Coordinator,
    key: string,
    swap: { readonly from: string; readonly to: string },
  ): Promise<SwapResult> {
    const { from, to } = swap;
    return this.system.ask<SwapResult>((done) => {
      coordinator.compareAndSwap(key, { expectedRevision: from, value: to }, done);
    });
  }

  /** A swap that must be accepted; gives the new revision. */
  async mustSwap(coordinator: Coordinator, key: string, swap: { from: string; to: string }): Promise<string> {
    const result = await this.swap(coordinator, key, swap);
    assert(result.kind === "accepted", JSON.stringify(result));
    return result.revision;
  }

  /** A coordinator that was started a moment ago may still be looking for its leader. */
  async waitUntilServed(coordinator: Coordinator, key: string): Promise<void> {
    for (const endMs = this.system.nowMs() + SERVED_MS_MAX; ;) {
      const result = await this.read(coordinator, key);
      if (result.kind !== "failed") return;
      assert(this.system.nowMs() < endMs, `not served within ${SERVED_MS_MAX} ms: ${result.reason}`);
      await this.system.wait(50);
    }
  }

  async waitUntil(what: string, isTrue: () => boolean): Promise<void> {
    for (const endMs = this.system.nowMs() + HINT_MS_MAX; !isTrue();) {
      assert(this.system.nowMs() < endMs, `${what}: not within ${HINT_MS_MAX} ms`);
      await this.system.wait(20);
    }
  }
}

/** Declares the contract of every kind of coordinator (§2.4), for one of them. */
export function describeCoordinator(
  name: string,
  start: () => Promise<CoordinatorSystem>,
  skip: string | false = false,
): void {
  describe(`the coordinator ${name}`, { skip }, () => {
    let bench: Bench;
    let coordinator: Coordinator;
    let other: Coordinator;

    before(async () => {
      bench = new Bench(await start());
    });
    after(async () => bench.system.dispose());
    afterEach(() => {
      coordinator.close();
      other.close();
    });
    const connect = (): void => {
      coordinator = bench.system.connect();
      other = bench.system.connect();
    };

    test("has nothing under a key that was never written", async () => {
      connect();
      assert.deepEqual(await bench.read(coordinator, bench.freshKey()), { kind: "absent" });
    });

    test("creates a document once", async () => {
      connect();
      const key = bench.freshKey();
      const revision = await bench.mustSwap(coordinator, key, { from: "0", to: "first" });
      assert.deepEqual(await bench.swap(coordinator, key, { from: "0", to: "second" }), { kind: "refused" });
      assert.deepEqual(await bench.swap(other, key, { from: "0", to: "third" }), { kind: "refused" });
      assert.deepEqual(await bench.read(other, key), { kind: "value", value: "first", revision });
    });

    test("swaps by revision, and a refused swap leaves everything as it was", async () => {
      connect();
      const key = bench.freshKey();
      const first = await bench.mustSwap(coordinator, key, { from: "0", to: "1" });
      const second = await bench.mustSwap(other, key, { from: first, to: "2" });
      assert.deepEqual(await bench.swap(coordinator, key, { from: first, to: "3" }), { kind: "refused" });
      assert.deepEqual(await bench.swap(coordinator, key, { from: "9223372036854775807", to: "3" }), {
        kind: "refused",
      });
      assert.deepEqual(await bench.read(coordinator, key), { kind: "value", value: "2", revision: second });
      const absent = bench.freshKey();
      assert.deepEqual(await bench.swap(coordinator, absent, { from: second, to: "3" }), { kind: "refused" });
      assert.deepEqual(await bench.read(coordinator, absent), { kind: "absent" });
    });

    test("moves a key's revision at every accepted swap, equal values included, and never gives one again", async () => {
      connect();
      const key = bench.freshKey();
      const seen: bigint[] = [0n];
      for (let i = 0; i < 10; i++) {
        const from = String(seen.at(-1));
        const revision = BigInt(await bench.mustSwap(i % 2 === 0 ? coordinator : other, key, { from, to: "same" }));
        assert(revision > (seen.at(-1) ?? 0n), `${revision} after ${seen.join(", ")}`);
        seen.push(revision);
      }
      for (const old of seen.slice(0, -1)) {
        assert.deepEqual(await bench.swap(coordinator, key, { from: String(old), to: "old" }), { kind: "refused" });
      }
    });

    test("shows every accepted swap to all who read after it", async () => {
      connect();
      const key = bench.freshKey();
      let revision = "0";
      for (let i = 0; i < 20; i++) {
        const [writer, reader] = i % 2 === 0 ? [coordinator, other] : [other, coordinator];
        revision = await bench.mustSwap(writer, key, { from: revision, to: `value ${i}` });
        const expected = { kind: "value", value: `value ${i}`, revision };
        assert.deepEqual(await bench.read(reader, key), expected);
        assert.deepEqual(await bench.read(writer, key), expected);
      }
    });

    test("lets exactly one of several that race win", async () => {
      connect();
      const key = bench.freshKey();
      let revision = "0";
      for (let round = 0; round < 10; round++) {
        const from = revision;
        const racers = [coordinator, other, coordinator, other];
        const results = await Promise.all(
          racers.map(async (racer, index) => bench.swap(racer, key, { from, to: `round ${round} of ${index}` })),
        );
        const winners = [...results.keys()].filter((index) => results[index]?.kind === "accepted");
        assert.equal(winners.length, 1, JSON.stringify(results));
        assert.equal(results.filter(({ kind }) => kind === "refused").length, 3);
        const read = await bench.read(other, key);
        assert(read.kind === "value" && read.value === `round ${round} of ${winners[0]}`, JSON.stringify(read));
        ({ revision } = read);
      }
    });

    test("keeps texts of any characters and up to 64 KiB byte for byte", async () => {
      connect();
      const texts = [
        "",
        " ",
        '{"a":"\\u0000"}',
        '\0\n\r\t"\\',
        "é漢🙂\u{10ffff}\ufeff",
        "x".repeat(65_536),
        'é"'.repeat(21_845),
      ];
      for (const value of texts) {
        const key = bench.freshKey();
        const revision = await bench.mustSwap(coordinator, key, { from: "0", to: value });
        assert.deepEqual(await bench.read(other, key), { kind: "value", value, revision });
      }
    });

    test("lists the documents below a prefix, in the order of their keys, and no others", async () => {
      connect();
      const stored: StoredDocument[] = [];
      for (const key of ["/kv/list/a/2", "/kv/list/a/10", "/kv/list/a/1", "/kv/list/ab", "/kv/list/a0", "/kv/list/a"]) {
        const revision = await bench.mustSwap(coordinator, key, { from: "0", to: `in ${key}` });
        stored.push({ key, value: `in ${key}`, revision });
      }
      const [two, ten, one] = stored;
      assert.deepEqual(await bench.list(other, "/kv/list/a/"), { kind: "documents", documents: [one, ten, two] });
      assert.deepEqual(await bench.list(other, "/kv/nothing/"), { kind: "documents", documents: [] });
    });

    test("fails, and says why, for keys, prefixes, revisions and values that are none", async () => {
      connect();
      const keys = [
        "",
        "/",
        "kv/a",
        "/kv/",
        "/kv//a",
        "/kv/a b",
        "/kv/a\0",
        "/kv/é",
        `/kv/${"x".repeat(256)}`,
        "/a".repeat(9),
      ];
      for (const key of keys) {
        const read = await bench.read(coordinator, key);
        assert(read.kind === "failed" && read.reason.includes("is no key"), JSON.stringify(read));
        assert.equal((await bench.swap(coordinator, key, { from: "0", to: "x" })).kind, "failed");
        coordinator.watch(key, () => assert.fail("a hint for no key")).stop();
      }
      assert.equal((await bench.list(coordinator, "/kv/a")).kind, "failed");
      const key = bench.freshKey();
      for (const from of ["", "-1", "1.5", "0x10", "01", "1e3", "99999999999999999999"]) {
        const result = await bench.swap(coordinator, key, { from, to: "x" });
        assert(result.kind === "failed" && result.reason.includes("is no revision"), JSON.stringify(result));
      }
      for (const to of ["\ud800", "x".repeat(1_048_577)]) {
        assert.equal((await bench.swap(coordinator, key, { from: "0", to })).kind, "failed");
      }
      assert.deepEqual(await bench.read(coordinator, key), { kind: "absent" });
    });

    test("hints at changes of a watched key to all who watch, and to nobody who stopped", async () => {
      connect();
      const key = bench.freshKey();
      const hints = { stays: 0, stopped: 0 };
      const watch = coordinator.watch(key, () => hints.stays++);
      other.watch(key, () => hints.stopped++).stop();
      await bench.system.wait(300);
      let revision = "0";
      for (let i = 0; i < 3; i++) {
        const told = hints.stays;
        revision = await bench.mustSwap(other, key, { from: revision, to: `value ${i}` });
        await bench.waitUntil(`hint ${i}`, () => hints.stays > told);
      }
      watch.stop();
      await bench.system.wait(200);
      const last = hints.stays;
      await bench.mustSwap(other, key, { from: revision, to: "unseen" });
      await bench.system.wait(300);
      assert.deepEqual(hints, { stays: last, stopped: 0 });
    });

    test("says unknown of a swap, and failed of a read, that nobody answers by the deadline", async () => {
      connect();
      const held = await bench.system.connectHeld({ deadlineMs: 300 });
      const key = bench.freshKey();
      assert.deepEqual(await bench.read(held.coordinator, key), { kind: "absent" });
      held.hold();
      for (const kind of ["unknown", "failed"] as const) {
        const startedMs = bench.system.nowMs();
        const result =
          kind === "unknown"
            ? await bench.swap(held.coordinator, key, { from: "0", to: "x" })
            : await bench.read(held.coordinator, key);
        const tookMs = bench.system.nowMs() - startedMs;
        assert.equal(result.kind, kind, JSON.stringify(result));
        assert(tookMs >= 290 && tookMs < 1300, `${tookMs} ms`);
      }
      held.coordinator.close();
      await held.release();
    });

    test("may accept a swap whose caller has given up, if nobody moved the revision", async () => {
      connect();
      const key = bench.freshKey();
      const from = await bench.mustSwap(coordinator, key, { from: "0", to: "before" });
      const held = await bench.system.connectHeld({ deadlineMs: 200 });
      await bench.read(held.coordinator, key);
      held.hold();
      assert.equal((await bench.swap(held.coordinator, key, { from, to: "late" })).kind, "unknown");
      const meanwhile = await bench.read(coordinator, key);
      assert(meanwhile.kind === "value" && meanwhile.value === "before");
      assert(await held.release());
      const read = await bench.read(coordinator, key);
      assert(read.kind === "value" && read.value === "late" && read.revision !== from, JSON.stringify(read));
      held.coordinator.close();
    });

    test("refuses a late swap once the revision has been moved past it (rule C3)", async () => {
      connect();
      const key = bench.freshKey();
      const from = await bench.mustSwap(coordinator, key, { from: "0", to: "before" });
      const held = await bench.system.connectHeld({ deadlineMs: 200 });
      await bench.read(held.coordinator, key);
      held.hold();
      assert.equal((await bench.swap(held.coordinator, key, { from, to: "late" })).kind, "unknown");
      const revision = await bench.mustSwap(coordinator, key, { from, to: "before" });
      assert((await held.release()) > 0, "the late request did arrive");
      assert.deepEqual(await bench.read(other, key), { kind: "value", value: "before", revision });
      held.coordinator.close();
    });

    test("answers nothing after it was closed", async () => {
      connect();
      const closed = bench.system.connect();
      const key = bench.freshKey();
      closed.read(key, () => assert.fail("answered after close"));
      closed.watch(key, () => assert.fail("a hint after close"));
      closed.close();
      closed.compareAndSwap(key, { expectedRevision: "0", value: "x" }, () => assert.fail("answered after close"));
      closed.read("bad", () => assert.fail("answered after close"));
      await bench.system.wait(300);
      assert.deepEqual(await bench.read(coordinator, key), { kind: "absent" });
    });

    test("keeps everything when it is killed and started again, and watches find it", async () => {
      connect();
      const key = bench.freshKey();
      const from = await bench.mustSwap(coordinator, key, { from: "0", to: "kept" });
      const kept = await bench.list(coordinator, "/kv/test/shards/");
      let hints = 0;
      other.watch(key, () => hints++);
      await bench.system.wait(200);
      await bench.system.kill();
      assert.equal((await bench.read(coordinator, key)).kind, "failed");
      const lost = await bench.swap(coordinator, key, { from, to: "lost" });
      assert(lost.kind === "failed" || lost.kind === "unknown", JSON.stringify(lost));
      await bench.system.restart();
      await bench.waitUntilServed(coordinator, key);
      assert.deepEqual(await bench.list(coordinator, "/kv/test/shards/"), kept);
      await bench.system.wait(2500);
      const told = hints;
      const revision = await bench.mustSwap(coordinator, key, { from, to: "after" });
      assert(BigInt(revision) > BigInt(from));
      await bench.waitUntil("a hint after the restart", () => hints > told);
    });
  });
}
