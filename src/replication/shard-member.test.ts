import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { SPACE } from "../model/entry.ts";
import { EPOCHS_SPACE } from "./messages.ts";
import { MemberFixture, NODES } from "../../tests/support/member-fixture.ts";
import { proveCaught } from "../../tests/support/prove-caught.ts";

/** A leader of a shard with no other member that has to agree. */
function loneLeader(): MemberFixture {
  const fixture = new MemberFixture({ node: NODES.a, replication: "async" });
  fixture.start();
  fixture.advance(1500);
  assert.equal(fixture.member.role, "leader");
  return fixture;
}

/** Has everything committed go to the tree. */
function applied(fixture: MemberFixture): void {
  fixture.advance(6000);
  assert.equal(fixture.store.appliedSequence, fixture.store.settledSequence);
}

const NO_LOG_END = { lastEpoch: 0, lastTerm: "0000000000000000", lastSequence: 0 };

describe("A member with a damaged row", () => {
  it("goes on leading when the row is due to expire", () => {
    const fixture = loneLeader();
    fixture.set("sound", "1", 20_000);
    fixture.set("broken", "1", 20_000);
    applied(fixture);
    fixture.treeFile.damage(SPACE.user, "broken");
    // The next run of the applier makes readers look at the file anew.
    fixture.set("other", "1");
    fixture.advance(30_000);
    assert.equal(fixture.read("sound"), null, "other rows expire");
    assert.equal(fixture.member.role, "leader");
  });

  it("tells a replica that copies its rows instead of dying", () => {
    const fixture = loneLeader();
    fixture.set("broken", "1");
    applied(fixture);
    fixture.treeFile.damage(SPACE.user, "broken");
    const store = { node: NODES.b, store: "store-b", generation: 0 };
    const { epoch, term } = fixture.store.lastEpoch;
    fixture.hear(NODES.b, "HELLO", { ...NO_LOG_END, greeting: 1, store, boot: "1", epoch, term, complete: false });
    const { sid } = fixture.last("WELCOME").header;
    fixture.hear(NODES.b, "GET_RANGE", { sid, space: EPOCHS_SPACE, after: "", base: null });
    const { base } = fixture.last("RANGE").header;
    fixture.hear(NODES.b, "GET_RANGE", { sid, space: SPACE.user, after: "", base });
    assert.equal(fixture.all("RANGE").length, 1, "the damaged rows are not handed on");
    assert.equal(fixture.last("REFUSED").header.code, "CORRUPT");
  });
});

describe("A member that begins to lead", () => {
  it("says so to every other member, once", () => {
    const fixture = loneLeader();
    const others = [NODES.b];
    const said = fixture.all("LEADING");
    assert.deepEqual(
      said.map(({ to }) => to),
      others,
    );
    assert.deepEqual(said[0]?.header.leadership, fixture.state.leadership);
  });
});

describe("A member that changes its role while its disk hangs", () => {
  it("begins nothing before the flush returns, and says after some seconds what it waits for (M93)", () => {
    proveCaught("M93", () => {
      const fixture = loneLeader();
      fixture.disk.faults.flushMs = () => 1e9;
      fixture.set("k", "v");
      fixture.advance(10);
      const store = { node: NODES.b, store: "store-b", generation: 0 };
      const later = {
        epoch: 1001,
        term: "00000000000000ab",
        leader: store,
        lineage: 0,
        inSync: [store],
        setVersion: 1,
      };
      fixture.hear(NODES.b, "LEADING", { leadership: later });
      fixture.advance(1000);
      assert.equal(fixture.member.readiness().reason, "is changing its role");
      fixture.advance(6000);
      assert.match(fixture.member.readiness().reason, /waits for a flush that has not returned for 7 s/);
      assert.match(fixture.member.status().state, /waits for a flush/);
    });
  });
});
