import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { encodeEntry, SPACE } from "../model/entry.ts";
import type { Leadership } from "../model/leadership.ts";
import type { Epoch, Sequence } from "../model/position.ts";
import { MemberFixture, NODES } from "../../tests/support/member-fixture.ts";
import { epochStart, termOf } from "../../tests/support/store-fixture.ts";

const MIB = 1024 * 1024;

function leadershipOf(epoch: Epoch, lineage = 0): Leadership {
  const leader = { node: NODES.a, store: "store-a", generation: 0 };
  return { epoch, term: termOf(epoch), leader, lineage, inSync: [leader], setVersion: 1 };
}

function startOf(epoch: Epoch, sequence: Sequence): Buffer {
  return encodeEntry({ epoch, sequence, timestampMs: 1, body: epochStart(termOf(epoch)) });
}

function entryOf(epoch: Epoch, sequence: Sequence, valueBytes: number): Buffer {
  const value = Buffer.alloc(valueBytes);
  const mutations = [{ space: SPACE.user, key: `key ${sequence}`, value, expiryMs: 0, contentType: "" }];
  return encodeEntry({ epoch, sequence, timestampMs: 1, body: { kind: "data", mutations } });
}

/** A replica of `a`, which the test plays. */
class Replica {
  readonly fixture = new MemberFixture({
    node: NODES.b,
    sizes: { segmentBytesFirst: 32 * MIB, segmentBytesMax: 32 * MIB, tailBytesMax: MIB },
  });
  #leadership = leadershipOf(1);

  start(): void {
    this.fixture.start();
    this.fixture.advance(1500);
  }

  /** The leader welcomes the replica's next greeting. */
  welcome(leadership: Leadership): void {
    this.#leadership = leadership;
    this.fixture.advance(600);
    this.fixture.sent = [this.fixture.last("HELLO")];
    this.fixture.welcome(NODES.a, leadership);
  }

  /** The leader answers the last pull. */
  send(body: Buffer, commit: Sequence): void {
    const after = this.fixture.last("PULL").header.fromSeq - 1;
    const header = {
      sid: "s",
      epoch: this.#leadership.epoch,
      beacon: 1,
      after,
      commit,
      leaseOk: true,
      lastEcho: 0,
    };
    this.fixture.hear(NODES.a, "ENTRIES", { ...header, logEnd: after + 1, logStart: 1 }, body);
    this.fixture.advance(20);
  }

  diverged(end: Sequence): void {
    const { epoch } = this.#leadership;
    this.fixture.hear(NODES.a, "DIVERGED", { sid: "s", epoch, dEpoch: 1, dTerm: termOf(1), dEndSeq: end });
  }
}

describe("A replica", () => {
  it("pulls again after a cut that took what waited for its slow disk", () => {
    const replica = new Replica();
    const { fixture } = replica;
    replica.start();
    replica.welcome(leadershipOf(1));
    replica.send(startOf(1, 1), 1);
    fixture.disk.faults.flushMs = () => 8000;
    replica.send(entryOf(1, 2, 100), 1);
    replica.send(entryOf(1, 3, 5 * MIB), 1);
    assert.deepEqual([fixture.store.lastSequence, fixture.store.log.lastSequence], [3, 2], "much waits for the disk");
    fixture.member.onDisconnected(NODES.a);
    replica.welcome(leadershipOf(2));
    replica.diverged(1);
    fixture.disk.faults.flushMs = () => 0;
    fixture.advance(9000);
    assert.equal(fixture.store.lastSequence, 1);
    replica.welcome(leadershipOf(2));
    assert.equal(fixture.last("PULL").header.fromSeq, 2);
  });

  it("greets again as soon as whoever it greeted too early leads, or leads anew", () => {
    const replica = new Replica();
    const { fixture } = replica;
    replica.start();
    replica.welcome(leadershipOf(1));
    const greetings = (): number[] => fixture.all("HELLO").map(({ header }) => header.greeting);
    fixture.hear(NODES.a, "NOT_LEADER", { seenEpoch: 1, leadership: leadershipOf(1) });
    fixture.sent = [];
    fixture.hear(NODES.a, "LEADING", { leadership: leadershipOf(1) });
    fixture.welcome(NODES.a, leadershipOf(1), "again");
    assert.equal(fixture.last("PULL").header.sid, "again");
    fixture.hear(NODES.a, "LEADING", { leadership: leadershipOf(1) });
    assert.equal(greetings().length, 1, "a stream goes on");
    fixture.hear(NODES.a, "LEADING", { leadership: leadershipOf(2) });
    assert.equal(greetings().length, 2);
  });

  it("says a greeting again with its number, and takes the answer late, but not to an earlier greeting", () => {
    const replica = new Replica();
    const { fixture } = replica;
    const leadership = leadershipOf(1);
    replica.start();
    fixture.advance(1200);
    const greetings = (): number[] => [...new Set(fixture.all("HELLO").map(({ header }) => header.greeting))];
    assert.ok(fixture.all("HELLO").length > 1);
    assert.equal(greetings().length, 1);
    const [first = 0] = greetings();
    fixture.member.onDisconnected(NODES.a);
    fixture.advance(600);
    const [, second = 0] = greetings();
    assert.ok(second > first);
    const welcome = (sid: string, greeting: number): void => {
      fixture.hear(NODES.a, "WELCOME", { sid, greeting, leadership, boot: "1" });
    };
    welcome("first", first);
    assert.deepEqual(fixture.all("PULL"), []);
    fixture.hear(NODES.a, "NOT_LEADER", { seenEpoch: 1, leadership: null });
    welcome("second", second);
    welcome("third", second);
    assert.deepEqual(
      fixture.all("PULL").map(({ header }) => header.sid),
      ["second"],
    );
  });

  it("forgets a torn end only with an entry of the present leadership: a new leader may know of less than was committed", () => {
    const replica = new Replica();
    const { fixture } = replica;
    fixture.start({ tornEnd: true });
    fixture.advance(1500);
    replica.welcome(leadershipOf(2));
    replica.send(Buffer.concat([startOf(1, 1), entryOf(1, 2, 100)]), 2);
    assert.equal(fixture.store.settledSequence, 2);
    assert.equal(fixture.state.tornEnd, true);
    replica.send(startOf(2, 3), 2);
    assert.equal(fixture.state.tornEnd, true, "what it has, but is not committed, may be cut again");
    replica.send(Buffer.alloc(0), 3);
    assert.equal(fixture.state.tornEnd, false);
  });

  it("tells its leader what room its disk has (S4)", () => {
    const replica = new Replica();
    const { fixture } = replica;
    replica.start();
    replica.welcome(leadershipOf(1));
    replica.send(startOf(1, 1), 1);
    assert.ok(fixture.last("PULL").header.room > MIB);
    assert.ok(fixture.last("HBACK").header.room > MIB);
    fixture.disk.faults.capacityBytes = 0;
    fixture.advance(200);
    replica.send(entryOf(1, 2, 100), 1);
    assert.equal(fixture.last("PULL").header.room, 0);
    assert.equal(fixture.last("HBACK").header.room, 0);
    assert.equal(fixture.store.durableSequence, 2, "what its present segment holds it still takes");
  });

  it("copies anew when what its rows were being made whole with is given up", () => {
    const replica = new Replica();
    const { fixture } = replica;
    fixture.start({ bootstrap: { phase: "replaying", mustReach: 9, lineage: 0 } });
    fixture.advance(1500);
    replica.welcome(leadershipOf(1, 0));
    assert.deepEqual(fixture.state.bootstrap, { phase: "replaying", mustReach: 9, lineage: 0 });
    fixture.member.onDisconnected(NODES.a);
    const { store } = fixture.state.store;
    replica.welcome(leadershipOf(1001, 1));
    assert.deepEqual(fixture.state.bootstrap, { phase: "copying" });
    assert.notEqual(fixture.state.store.store, store);
  });
});
