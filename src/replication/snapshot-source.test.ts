import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { MemberFixture, NODES } from "../../tests/support/member-fixture.ts";
import { proveCaught } from "../../tests/support/prove-caught.ts";
import { SPACE } from "../model/entry.ts";
import { NO_EPOCH, type Sequence } from "../model/position.ts";

const EMPTY = { lastEpoch: NO_EPOCH.epoch, lastTerm: NO_EPOCH.term, lastSequence: 0 };

/** A leader of entries 1 to 6, and the test as its replica that copies rows. */
class Source {
  readonly leader = new MemberFixture({ node: NODES.a, replication: "async" });
  readonly #sid: string;

  constructor() {
    const { leader } = this;
    leader.start();
    leader.advance(1500);
    for (let i = 0; i < 5; i++) leader.set(`key ${i}`, "value");
    leader.advance(20);
    assert.equal(leader.store.settledSequence, 6);
    const store = { node: NODES.b, store: "copy", generation: 0 };
    const { epoch, term } = NO_EPOCH;
    leader.hear(NODES.b, "HELLO", { ...EMPTY, greeting: 1, store, boot: "1", epoch, term, complete: false });
    this.#sid = leader.last("WELCOME").header.sid;
  }

  /** Asks for the first user rows of a copy that another leader gave the beginning of, from `base`. */
  ask(base: Sequence): void {
    this.leader.hear(NODES.b, "GET_RANGE", { sid: this.#sid, space: SPACE.user, after: "", base });
  }
}

describe("A leader that goes on with a copy which another one began", () => {
  it("gives no rows before its tree has taken in what the base names, since no replay would bring it back (M98)", () => {
    proveCaught("M98", () => {
      const source = new Source();
      const { leader } = source;
      assert.ok(leader.store.tree.position().appliedSequence < 5);
      source.ask(5);
      assert.equal(leader.all("RANGE").length, 0);
      leader.advance(10);
      source.ask(5);
      const { header, body } = leader.last("RANGE");
      assert.equal(header.base, 5);
      assert.ok(header.mayHoldThrough >= 5);
      assert.ok(body.includes("key 3"));
    });
  });

  it("has the copy start over when its log does not reach the base at all", () => {
    const source = new Source();
    source.ask(7);
    assert.equal(source.leader.all("SNAPSHOT_NEEDED").length, 1);
  });
});
