import assert from "node:assert/strict";
import { describe, it } from "node:test";
import type { InSyncMember, Leadership } from "../model/leadership.ts";
import type { Epoch, NodeName } from "../model/position.ts";
import { MemberFixture, NODES } from "../../tests/support/member-fixture.ts";
import { termOf } from "../../tests/support/store-fixture.ts";

const NO_ROOM = /no room to write down the node's state/;

function storeOf(node: NodeName): InSyncMember & { readonly store: string } {
  return { node, store: `store-${node}`, generation: 0 };
}

function leadershipOf(epoch: Epoch, node: NodeName): Leadership {
  const inSync = [storeOf(NODES.a), storeOf(NODES.b)];
  return { epoch, term: termOf(epoch), leader: storeOf(node), lineage: 0, inSync, setVersion: 1 };
}

function fill(fixture: MemberFixture): void {
  fixture.disk.faults.capacityBytes = 0;
}

function empty(fixture: MemberFixture): void {
  fixture.disk.faults.capacityBytes = Infinity;
}

function loneLeader(): MemberFixture {
  const fixture = new MemberFixture({ node: NODES.a, replication: "async" });
  fixture.start();
  fixture.advance(1500);
  assert.equal(fixture.member.role, "leader");
  return fixture;
}

/** The replica `b` of leader `a`, with a session. */
function replica(): MemberFixture {
  const fixture = new MemberFixture({ node: NODES.b, replication: "async" });
  const leadership = leadershipOf(1, NODES.a);
  fixture.start({ leadership, seenEpoch: { epoch: 1, term: termOf(1) } });
  fixture.advance(1500);
  fixture.welcome(NODES.a, leadership);
  assert.equal(fixture.member.role, "replica");
  return fixture;
}

describe("A member whose disk has no room for its state", () => {
  it("does not begin to lead, says why, and begins when there is room", () => {
    const fixture = new MemberFixture({ node: NODES.a, replication: "async" });
    fixture.start();
    fixture.advance(10);
    fill(fixture);
    fixture.advance(5000);
    assert.equal(fixture.member.role, "none");
    assert.match(fixture.member.readiness().reason, NO_ROOM);
    assert.equal(fixture.store.lastSequence, 0, "no entry of a leadership that is not written down");
    empty(fixture);
    fixture.advance(1100);
    assert.equal(fixture.member.role, "leader");
    assert.deepEqual(fixture.fatal, []);
  });

  it("does not accept a leadership that a promotion hands out", () => {
    const fixture = replica();
    fill(fixture);
    fixture.hear(NODES.a, "STORE_LEADERSHIP", { id: 7, leadership: leadershipOf(1001, NODES.a) });
    assert.equal(fixture.last("STORED_LEADERSHIP").header.accepted, false);
    assert.equal(fixture.state.seenEpoch.epoch, 1);
    empty(fixture);
    fixture.hear(NODES.a, "STORE_LEADERSHIP", { id: 8, leadership: leadershipOf(1001, NODES.a) });
    assert.equal(fixture.last("STORED_LEADERSHIP").header.accepted, true);
  });

  it("leads no longer when it hears of a higher epoch that it cannot write down, and follows when it can", () => {
    const fixture = loneLeader();
    fill(fixture);
    const leadership = leadershipOf(1001, NODES.b);
    fixture.hear(NODES.b, "LEADING", { leadership });
    fixture.advance(100);
    assert.equal(fixture.member.role, "none");
    assert.match(fixture.member.readiness().reason, NO_ROOM);
    empty(fixture);
    fixture.hear(NODES.b, "LEADING", { leadership });
    fixture.advance(1100);
    assert.equal(fixture.member.role, "replica");
    assert.equal(fixture.state.leadership?.epoch, 1001);
  });

  it("does not follow a leader whose epoch it cannot write down, and greets it again", () => {
    const fixture = replica();
    fill(fixture);
    fixture.member.onDisconnected(NODES.a);
    fixture.advance(1100);
    const pulls = fixture.all("PULL").length;
    fixture.welcome(NODES.a, leadershipOf(2, NODES.a));
    assert.equal(fixture.all("PULL").length, pulls);
    fixture.sent = [];
    fixture.advance(2100);
    assert.ok(fixture.all("HELLO").length > 0);
    empty(fixture);
    fixture.welcome(NODES.a, leadershipOf(2, NODES.a));
    assert.equal(fixture.last("PULL").header.epoch, 2);
  });

  it("begins a copy when there is room, and keeps the old store until then", () => {
    const fixture = replica();
    const { store } = fixture.state;
    fill(fixture);
    const { sid } = fixture.last("PULL").header;
    fixture.hear(NODES.a, "SNAPSHOT_NEEDED", { sid, epoch: 1, logStart: 9 });
    fixture.advance(5000);
    assert.deepEqual(fixture.state.store, store);
    empty(fixture);
    fixture.sent = [];
    fixture.advance(3000);
    assert.notDeepEqual(fixture.state.store, store);
    assert.equal(fixture.state.bootstrap?.phase, "copying");
    assert.equal(fixture.last("HELLO").header.complete, false);
  });
});
