import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { splitEntries } from "../../tests/support/log-fixture.ts";
import { leadershipOf, storeOf } from "../../tests/support/member-facts.ts";
import { proveCaught } from "../../tests/support/prove-caught.ts";
import { StoreFixture, termOf } from "../../tests/support/store-fixture.ts";
import { silentLogger } from "../base/logger.ts";
import { SeededRandom } from "../base/random.ts";
import { decodeEntry } from "../model/entry.ts";
import { LIMITS } from "../model/limits.ts";
import type { Sequence } from "../model/position.ts";
import type { PeerMessage } from "../wire/peer-network.ts";
import { MemberLink } from "./member-link.ts";
import type { Entries, Hello, Pull, Refused, Welcome } from "./messages.ts";
import { StaticLease } from "./term-lease.ts";
import { ReplicaSessions } from "./replica-sessions.ts";

describe("a replica's session", () => {
  test("begins with a welcome that names the leadership, and knows nothing yet", () => {
    const world = new World();
    world.hello();
    const welcomes = world.take("WELCOME").map(({ header }) => (header as Welcome).leadership.epoch);
    assert.deepEqual(welcomes, [1]);
    const session = world.sessions.of("b");
    assert.deepEqual([session?.isMatched, session?.durable, session?.pulledThrough], [false, 0, 0]);
    assert.deepEqual(session?.store, storeOf("b"));
  });

  test("counts what was flushed, as far as the log was checked", () => {
    const world = new World(5);
    world.hello();
    world.pull(3, { durable: 9 });
    assert.equal(world.durable(), 2, "no further than what was pulled");
    world.acknowledge(9);
    assert.equal(world.durable(), 2);
    world.pull(6, { durable: 3 });
    assert.equal(world.durable(), 3);
    world.acknowledge(5);
    assert.equal(world.durable(), 5);
    world.acknowledge(4);
    assert.equal(world.durable(), 5, "never moves back");
  });

  test("knows what room the replica's disk has, as it told last (S4)", () => {
    const world = new World(5);
    world.hello();
    assert.equal(world.sessions.of("b")?.roomBytes, 0);
    world.pull(1, { room: 7000 });
    assert.equal(world.sessions.of("b")?.roomBytes, 7000);
    world.acknowledge(0, 10);
    assert.equal(world.sessions.of("b")?.roomBytes, 10);
  });

  test("forgets at a new HELLO what an older one had confirmed (M09)", () => {
    proveCaught("M09", () => {
      const world = new World(5);
      world.hello();
      world.pull(6, { durable: 5 });
      assert.equal(world.durable(), 5);
      world.hello();
      assert.equal(world.durable(), 0, "it may have been wiped or cut in between");
    });
  });

  test("counts nothing before the log ends were found to match (M10)", () => {
    proveCaught("M10", () => {
      const world = new World(5);
      world.hello();
      world.pull(4, { durable: 3, lastTerm: termOf(77) });
      assert.equal(world.durable(), 0);
      assert.deepEqual(world.take("DIVERGED").length, 1);
      world.acknowledge(3);
      assert.equal(world.durable(), 0);
    });
  });

  test("drops messages of an older session, or of another epoch (M34)", () => {
    proveCaught("M34", () => {
      const world = new World(5);
      world.hello();
      const older = world.sid;
      world.hello();
      world.sent.length = 0;
      world.pull(6, { durable: 5, sid: older });
      world.pull(6, { durable: 5, epoch: 2 });
      assert.equal(world.durable(), 0);
      assert.deepEqual(world.sent, []);
    });
  });

  test("answers a greeting that is said again with the same session, and drops one that was overtaken", () => {
    const world = new World(5);
    world.hello({ greeting: 7 });
    world.pull(6, { durable: 5 });
    const { sid } = world;
    world.hello({ greeting: 7 });
    world.hello({ greeting: 6 });
    assert.deepEqual([world.sid, world.durable()], [sid, 5]);
    const welcomes = world.take("WELCOME").map(({ header }) => (header as Welcome).greeting);
    assert.deepEqual(welcomes, [7, 7]);
    world.hello({ greeting: 7, store: { ...storeOf("b"), generation: 1 } });
    assert.notEqual(world.sid, sid, "of another store");
    world.hello({ greeting: 1, boot: "later" });
    assert.equal(world.durable(), 0, "of another process");
  });

  test("counts nothing of a store that is gone when its messages come once more (M09)", () => {
    const world = new World(5);
    world.hello({ boot: "wiped" });
    const wiped = world.sid;
    world.pull(6, { durable: 5 });
    world.hello({ store: { ...storeOf("b"), store: "another" } });
    world.hello({ boot: "wiped" });
    world.pull(6, { durable: 5, sid: wiped });
    assert.equal(world.durable(), 0);
  });

  test("ends with the connection, and nobody takes it for one that keeps up", () => {
    const world = new World(5);
    world.hello();
    world.pull(6, { durable: 5 });
    world.progress.length = 0;
    world.sessions.onDisconnected("b");
    assert.equal(world.sessions.of("b"), undefined);
    assert.deepEqual(world.progress, ["b unmatched"]);
    world.pull(6, { durable: 5 });
    assert.equal(world.sessions.of("b"), undefined);
  });

  test("ends after two seconds of silence", () => {
    const world = new World(5);
    world.hello();
    world.fixture.timers.advance(LIMITS.sessionSilenceMsMax);
    world.sessions.onTick();
    assert.ok(world.sessions.of("b") !== undefined);
    world.fixture.timers.advance(1);
    world.sessions.onTick();
    assert.equal(world.sessions.of("b"), undefined);
  });

  test("of a replica that copies rows counts for nothing", () => {
    const world = new World(5);
    world.hello();
    world.sessions.onCopying("b", world.sid);
    assert.equal(world.sessions.of("b")?.isComplete, false);
    assert.equal(world.sessions.onCopying("b", "another"), undefined);
    assert.equal(world.sessions.onCopying("c", world.sid), undefined);
  });
});

describe("a pull", () => {
  test("is answered with the entries behind its position, as they lie on disk", () => {
    const world = new World(5);
    world.hello();
    world.pull(3);
    assert.deepEqual(world.entries(), [{ after: 2, logEnd: 5, sequences: [3, 4, 5] }]);
  });

  test("at the end is answered when something is written, before it is flushed here", () => {
    const world = new World(5);
    world.hello();
    world.pull(6);
    assert.deepEqual(world.entries(), []);
    world.fixture.disk.faults.flushMs = () => 1000;
    world.append();
    world.fixture.timers.advance(1);
    assert.deepEqual(world.entries(), [{ after: 5, logEnd: 6, sequences: [6] }]);
    assert.equal(world.fixture.store.durableSequence, 5);
  });

  test("at the end is answered with nothing after its time", () => {
    const world = new World(5);
    world.hello();
    world.pull(6, { waitMs: 300 });
    world.fixture.timers.advance(299);
    world.sessions.onTick();
    assert.deepEqual(world.entries(), []);
    world.fixture.timers.advance(1);
    world.sessions.onTick();
    assert.deepEqual(world.entries(), [{ after: 5, logEnd: 5, sequences: [] }]);
  });

  test("at the end is answered soon when the commit position moves, so that the last write shows there", () => {
    const world = new World(5);
    world.hello();
    world.pull(6);
    world.fixture.store.commit(5);
    world.sessions.onCommitted();
    world.sessions.onCommitted();
    world.fixture.timers.advance(10);
    const answers = world.take("ENTRIES").map(({ header }) => (header as Entries).commit);
    assert.deepEqual(answers, [5]);
    world.pull(6, { knownCommit: 5 });
    world.sessions.onCommitted();
    world.fixture.timers.advance(10);
    assert.deepEqual(world.take("ENTRIES"), []);
  });

  test("gets no more than it asks for, but a single larger entry alone", () => {
    const world = new World(5);
    world.hello();
    world.pull(2, { maxBytes: 1 });
    assert.deepEqual(world.entries(), [{ after: 1, logEnd: 5, sequences: [2] }]);
  });

  const odd: readonly (readonly [name: string, changes: Partial<Pull>, answer: string])[] = [
    ["from beyond the end", { fromSeq: 100, durable: 99 }, "DIVERGED"],
    ["from 0", { fromSeq: 0, durable: 99 }, "SNAPSHOT_NEEDED"],
    ["with another term", { fromSeq: 4, durable: 3, lastTerm: termOf(77) }, "DIVERGED"],
    ["from an epoch that never was", { fromSeq: 4, durable: 3, lastEpoch: 0, lastTerm: termOf(0) }, "DIVERGED"],
  ];
  for (const [name, changes, answer] of odd) {
    test(`${name} changes nothing that counts, first of all or later`, () => {
      const world = new World(5);
      world.hello();
      const from = changes.fromSeq ?? 1;
      world.pull(from, { lastEpoch: from === 0 ? 0 : 1, lastTerm: termOf(from === 0 ? 0 : 1), ...changes });
      assert.equal(world.durable(), 0);
      assert.equal(world.take(answer).length, 1, answer);
      if (from === 4) return;
      world.hello();
      world.pull(6, { durable: 2 });
      world.pull(from, changes);
      assert.equal(world.durable(), 2);
      assert.equal(world.take(answer).length, 1, `${answer} in a matched session`);
      assert.equal(world.sessions.of("b")?.isMatched, false);
    });
  }

  test("for what is trimmed is answered by SNAPSHOT_NEEDED, also in a matched session", () => {
    const world = new World(1);
    for (let i = 0; i < 200; i++) {
      world.append("x".repeat(100));
      world.fixture.settle();
    }
    world.hello();
    world.pull(2, { maxBytes: 1 });
    assert.equal(world.entries().length, 1);
    const { log, store } = world.fixture;
    log.trimThrough(store.durableSequence);
    assert.ok(log.startSequence > 10);
    world.pull(3);
    assert.equal(world.take("SNAPSHOT_NEEDED").length, 1);
    assert.equal(world.sessions.of("b")?.isMatched, false);
    world.hello();
    world.pull(3);
    assert.equal(world.take("SNAPSHOT_NEEDED").length, 1);
  });

  test("for entries that are damaged on disk is refused: they are never handed on (S5)", () => {
    const world = new World(1);
    world.append("x".repeat(1000));
    for (let i = 0; i < 20; i++) {
      world.append("x".repeat(300));
      world.fixture.settle();
    }
    const [file = ""] = world.fixture.disk.list("/node/log");
    const at = world.fixture.disk.content(`/node/log/${file}`).indexOf("x".repeat(1000)) + 500;
    world.fixture.disk.flipBit(`/node/log/${file}`, at, 3);
    world.hello();
    world.pull(2);
    assert.deepEqual(world.entries(), []);
    const refusals = world.take("REFUSED").map(({ header }) => (header as Refused).code);
    assert.deepEqual(refusals, ["CORRUPT"]);
  });
});

/** The leader's sessions over a real log; what they send is kept. */
class World {
  readonly fixture = new StoreFixture();
  readonly sent: PeerMessage[] = [];
  /** Sessions that progress was told of: "b" or "b unmatched". */
  readonly progress: string[] = [];
  readonly sessions: ReplicaSessions;
  sid = "";
  #greetings = 0;

  /** With `count` entries in its log, all flushed. */
  constructor(count = 1) {
    const store = this.fixture.open();
    this.fixture.lead(1);
    for (let i = 1; i < count; i++) this.append();
    this.fixture.settle();
    const network = {
      send: (_to: string, message: PeerMessage): boolean => this.sent.push(message) > 0,
      request: () => assert.fail("nothing is requested"),
    };
    this.sessions = new ReplicaSessions({
      clock: this.fixture.timers,
      timers: this.fixture.timers,
      random: new SeededRandom(1),
      logger: silentLogger,
      link: new MemberLink(network, "Delhi"),
      store,
      boot: "boot",
      leadership: () => leadershipOf(1, "a"),
      lease: new StaticLease(),
      onProgress: ({ node, isMatched }) => this.progress.push(isMatched ? node : `${node} unmatched`),
    });
    this.fixture.listener = { onWritten: () => this.sessions.onWritten() };
  }

  append(text = "v"): void {
    this.fixture.append({ k: text });
  }

  hello(changes: Partial<Hello> = {}): void {
    const end = { lastEpoch: 1, lastTerm: termOf(1), lastSequence: 0 };
    const plain = {
      greeting: ++this.#greetings,
      store: storeOf("b"),
      boot: "b",
      epoch: 1,
      term: termOf(1),
      complete: true,
    };
    this.sessions.onHello("b", { ...end, ...plain, ...changes });
    this.sid = this.sessions.of("b")?.sid ?? "";
  }

  pull(fromSeq: Sequence, changes: Partial<Pull> = {}): void {
    const end = fromSeq === 1 ? { lastEpoch: 0, lastTerm: termOf(0) } : { lastEpoch: 1, lastTerm: termOf(1) };
    const limits = { echo: 0, maxBytes: 1_000_000, waitMs: 1000, knownCommit: 0, room: 0 };
    this.sessions.onPull("b", {
      sid: this.sid,
      epoch: 1,
      fromSeq,
      ...end,
      durable: 0,
      complete: true,
      ...limits,
      ...changes,
    });
  }

  acknowledge(durable: Sequence, room = 0): void {
    this.sessions.onHeartbeatAck("b", { sid: this.sid, epoch: 1, durable, echo: 0, room });
  }

  durable(): Sequence | undefined {
    return this.sessions.of("b")?.durable;
  }

  /** Messages of `type` that were sent since; they are taken out. */
  take(type: string): PeerMessage[] {
    const taken = this.sent.filter((message) => message.type === type);
    this.sent.splice(0, this.sent.length, ...this.sent.filter((message) => message.type !== type));
    return taken;
  }

  entries(): { readonly after: Sequence; readonly logEnd: Sequence; readonly sequences: readonly Sequence[] }[] {
    return this.take("ENTRIES").map(({ header, body }) => {
      const { after, logEnd } = header as Entries;
      return { after, logEnd, sequences: splitEntries(body).map((raw) => decodeEntry(raw).sequence) };
    });
  }
}
