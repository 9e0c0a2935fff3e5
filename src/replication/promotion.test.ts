import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { encodeEntry, SPACE } from "../model/entry.ts";
import { KvError } from "../model/errors.ts";
import type { InSyncMember, Leadership } from "../model/leadership.ts";
import { NO_EPOCH, PROMOTION_VERSION_STEP, type Epoch, type NodeName } from "../model/position.ts";
import { MemberFixture, NODES } from "../../tests/support/member-fixture.ts";
import { MemberPair } from "../../tests/support/member-pair.ts";
import { dataBody, epochStart, termOf } from "../../tests/support/store-fixture.ts";
import type { LogEnd, State } from "./messages.ts";

const MEMBERS = [NODES.a, NODES.b, NODES.c];

function storeOf(node: NodeName): InSyncMember & { readonly store: string } {
  return { node, store: `store-${node}`, generation: 0 };
}

function leadershipOf(epoch: Epoch, node: NodeName): Leadership {
  const inSync = MEMBERS.map((member) => storeOf(member));
  return { epoch, term: termOf(epoch), leader: storeOf(node), lineage: 0, inSync, setVersion: 1 };
}

function accountOf(node: NodeName, id: number, leadership: Leadership): State {
  const { epoch, term } = leadership;
  const role = leadership.leader.node === node ? "leader" : "replica";
  const known = { seenEpoch: epoch, seenTerm: term, leadership, role } as const;
  const end = { lastEpoch: NO_EPOCH.epoch, lastTerm: NO_EPOCH.term, lastSequence: 0 };
  return { ...end, ...known, id, store: storeOf(node), complete: true, recovered: true, inConflict: false };
}

/** The replica `b` of a shard of three, led by `a` in epoch 1; the test plays `a` and `c`. */
class Candidate {
  readonly fixture = new MemberFixture({ node: NODES.b, replication: "async", members: MEMBERS });

  constructor() {
    const leadership = leadershipOf(1, NODES.a);
    this.fixture.start({ leadership, seenEpoch: { epoch: 1, term: termOf(1) } });
    this.fixture.advance(1500);
    this.fixture.sent = [];
  }

  /** `nodes` answer the promotion's question. */
  answer(nodes: readonly NodeName[], ends: Partial<Record<NodeName, LogEnd>> = {}): void {
    const { id } = this.fixture.last("STATE_QUERY").header;
    for (const node of nodes) {
      this.fixture.hear(node, "STATE", { ...accountOf(node, id, leadershipOf(1, NODES.a)), ...ends[node] });
    }
    this.fixture.advance(60);
  }

  /** `a` steps down where its log ends. */
  stepDown(end: LogEnd): void {
    this.fixture.hear(NODES.a, "STEPPED_DOWN", { id: this.fixture.last("STEP_DOWN").header.id, ...end });
  }

  /** `node` stores the new leadership. */
  store(node: NodeName): void {
    const { id } = this.fixture.last("STORE_LEADERSHIP").header;
    this.fixture.hear(node, "STORED_LEADERSHIP", { id, accepted: true, store: storeOf(node), complete: true });
  }
}

const EMPTY: LogEnd = { lastEpoch: 0, lastTerm: NO_EPOCH.term, lastSequence: 0 };

describe("A promotion", () => {
  it("is the only one of its node until it has been reported", () => {
    const { fixture } = new Candidate();
    const first = fixture.promote();
    const second = fixture.promote();
    assert.ok(second.report instanceof KvError);
    assert.equal(second.report.code, "NOT_READY");
    fixture.advance(10_000);
    assert.ok(first.report !== null && !(first.report instanceof KvError));
    assert.equal(fixture.promote({ dryRun: true }).report, null, "then the next one may begin");
  });

  it("gives way to a later one of another node while it is still being stored", () => {
    const candidate = new Candidate();
    const { fixture } = candidate;
    const promotion = fixture.promote();
    candidate.answer([NODES.a, NODES.c]);
    candidate.stepDown(EMPTY);
    fixture.hear(NODES.c, "STORE_LEADERSHIP", { id: 7, leadership: leadershipOf(3001, NODES.c) });
    assert.equal(fixture.last("STORED_LEADERSHIP").header.accepted, true);
    fixture.advance(5000);
    assert.equal(fixture.member.role, "replica");
    assert.equal(fixture.state.leadership?.epoch, 3001);
    assert.ok(promotion.report !== null && !(promotion.report instanceof KvError));
    assert.equal(promotion.report.done, false);
    assert.match(promotion.report.refusal ?? "", /Another leadership/);
  });

  it("counts no answers to an earlier one", () => {
    const candidate = new Candidate();
    const { fixture } = candidate;
    fixture.promote();
    candidate.answer([NODES.a, NODES.c]);
    const { id } = fixture.last("STEP_DOWN").header;
    fixture.hear(NODES.a, "STEPPED_DOWN", { id: id + 1, ...EMPTY });
    assert.equal(fixture.all("STORE_LEADERSHIP").length, 0);
    candidate.stepDown(EMPTY);
    assert.equal(fixture.all("STORE_LEADERSHIP").length, 2);
  });

  it("leads with a member whose word that it stored the new leadership was lost: it may have (T5)", () => {
    const candidate = new Candidate();
    const { fixture } = candidate;
    const promotion = fixture.promote();
    candidate.answer([NODES.a, NODES.c]);
    candidate.stepDown(EMPTY);
    candidate.store(NODES.c);
    fixture.advance(1500);
    assert.equal(fixture.member.role, "leader");
    assert.deepEqual(
      fixture.state.leadership?.inSync.map(({ node }) => node),
      [NODES.b, NODES.a, NODES.c],
    );
    assert.ok(promotion.report !== null && !(promotion.report instanceof KvError) && promotion.report.done);
    assert.match(promotion.report.findings.join("\n"), /has not confirmed the new leadership/);
  });

  it("does not take a log that is as long as the leader's for one that holds all of it", () => {
    const candidate = new Candidate();
    const { fixture } = candidate;
    const start = encodeEntry({ epoch: 1, sequence: 1, timestampMs: 1, body: epochStart(termOf(1)) });
    const own = encodeEntry({ epoch: 1, sequence: 2, timestampMs: 1, body: dataBody({ key: "own" }) });
    fixture.store.receive(Buffer.concat([start, own]), 1);
    fixture.advance(100);
    const promotion = fixture.promote();
    candidate.answer([NODES.a, NODES.c]);
    candidate.stepDown({ lastEpoch: 2, lastTerm: termOf(2), lastSequence: 2 });
    assert.equal(fixture.all("STORE_LEADERSHIP").length, 0);
    const fetch = fixture.last("FETCH");
    assert.equal(fetch.to, NODES.a);
    fixture.hear(NODES.a, "FETCHED", { id: fetch.header.id, after: 2, logEnd: 2, isPrefix: false });
    assert.ok(promotion.report !== null && !(promotion.report instanceof KvError));
    assert.equal(promotion.report.done, false);
  });

  it("is refused in the end when the disk has no room for what it has to fetch", () => {
    const candidate = new Candidate();
    const { fixture } = candidate;
    const promotion = fixture.promote();
    candidate.answer([NODES.a, NODES.c]);
    fixture.disk.faults.capacityBytes = 0;
    candidate.stepDown({ lastEpoch: 1, lastTerm: termOf(1), lastSequence: 1 });
    const value = Buffer.alloc(100_000);
    const mutations = [{ space: SPACE.user, key: "large", value, expiryMs: 0, contentType: "" }];
    const body = encodeEntry({ epoch: 1, sequence: 1, timestampMs: 1, body: { kind: "data", mutations } });
    for (let round = 0; round < 30 && promotion.report === null; round++) {
      const { id } = fixture.last("FETCH").header;
      fixture.hear(NODES.a, "FETCHED", { id, after: 0, logEnd: 1, isPrefix: true }, body);
      fixture.advance(500);
    }
    assert.ok(promotion.report !== null && !(promotion.report instanceof KvError));
    assert.equal(promotion.report.done, false);
  });

  it("takes in nothing of a leadership that began while it fetched the end of the log", () => {
    const candidate = new Candidate();
    const { fixture } = candidate;
    const promotion = fixture.promote();
    candidate.answer([NODES.a, NODES.c]);
    candidate.stepDown({ lastEpoch: 1, lastTerm: termOf(1), lastSequence: 1 });
    const { id } = fixture.last("FETCH").header;
    const first = encodeEntry({ epoch: 1, sequence: 1, timestampMs: 1, body: epochStart(termOf(1)) });
    const second = encodeEntry({ epoch: 2, sequence: 2, timestampMs: 1, body: epochStart(termOf(2)) });
    fixture.hear(NODES.a, "FETCHED", { id, after: 0, logEnd: 2, isPrefix: true }, Buffer.concat([first, second]));
    fixture.advance(100);
    assert.equal(fixture.store.lastSequence, 0);
    assert.ok(promotion.report !== null && !(promotion.report instanceof KvError));
    assert.match(promotion.report.refusal ?? "", /could not be fetched/);
  });

  it("fetches on as soon as the log has room for more", () => {
    const candidate = new Candidate();
    const { fixture } = candidate;
    fixture.promote();
    candidate.answer([NODES.a, NODES.c]);
    candidate.stepDown({ lastEpoch: 1, lastTerm: termOf(1), lastSequence: 2 });
    const start = encodeEntry({ epoch: 1, sequence: 1, timestampMs: 1, body: epochStart(termOf(1)) });
    const large = dataBody({ large: "x".repeat(30_000) });
    const body = Buffer.concat([start, encodeEntry({ epoch: 1, sequence: 2, timestampMs: 1, body: large })]);
    const fetched = { after: 0, logEnd: 2, isPrefix: true };
    const { id } = fixture.last("FETCH").header;
    fixture.hear(NODES.a, "FETCHED", { id, ...fetched }, body);
    assert.equal(fixture.store.lastSequence, 0, "the segment is too small");
    fixture.advance(50);
    assert.equal(fixture.last("FETCH").header.id, id + 1);
    fixture.hear(NODES.a, "FETCHED", { id: id + 1, ...fetched }, body);
    fixture.advance(50);
    assert.equal(fixture.all("STORE_LEADERSHIP").length, 2);
  });

  it("does not follow one that was asked for elsewhere at the same time: each would follow the other", () => {
    const candidate = new Candidate();
    const { fixture } = candidate;
    const promotion = fixture.promote();
    candidate.answer([NODES.a, NODES.c]);
    candidate.stepDown(EMPTY);
    const own = fixture.last("STORE_LEADERSHIP").header;
    const rival = { ...own.leadership, term: termOf(77), leader: storeOf(NODES.c) };
    fixture.hear(NODES.c, "STORE_LEADERSHIP", { id: 9, leadership: rival });
    assert.equal(fixture.last("STORED_LEADERSHIP").header.accepted, false);
    fixture.hear(NODES.c, "STORED_LEADERSHIP", {
      id: own.id,
      accepted: false,
      store: storeOf(NODES.c),
      complete: true,
    });
    assert.ok(promotion.report !== null && !(promotion.report instanceof KvError));
    assert.match(promotion.report.refusal ?? "", /another leadership.*run the command again/);
    // `a` had stored this one's: it leads after all, with a number that settles it.
    const { id } = fixture.last("STATE_QUERY").header;
    fixture.hear(NODES.a, "STATE", accountOf(NODES.a, id, own.leadership));
    fixture.advance(2500);
    assert.equal(fixture.member.role, "leader");
  });

  it("does not claim to lead while its disk has no room to write that down, and leads when there is some", () => {
    const candidate = new Candidate();
    const { fixture } = candidate;
    const promotion = fixture.promote();
    candidate.answer([NODES.a, NODES.c]);
    candidate.stepDown(EMPTY);
    fixture.disk.faults.capacityBytes = 0;
    fixture.advance(2000);
    assert.ok(promotion.report !== null && !(promotion.report instanceof KvError));
    assert.equal(promotion.report.done, false);
    assert.match(promotion.report.refusal ?? "", /no room to begin a leadership/);
    assert.equal(fixture.member.role, "none");
    fixture.disk.faults.capacityBytes = Infinity;
    fixture.advance(1100);
    assert.equal(fixture.member.role, "leader");
  });

  it("raises versions past those of a leadership whose beginning never got here", () => {
    const candidate = new Candidate();
    const { fixture } = candidate;
    // `a` has been promoted over this node's head and has died: its entries did not come here, its leadership did.
    fixture.hear(NODES.a, "STORE_LEADERSHIP", { id: 1, leadership: leadershipOf(1001, NODES.a) });
    fixture.advance(100);
    fixture.promote({ acceptDataLoss: true });
    fixture.advance(5000);
    assert.equal(fixture.member.role, "leader");
    assert.equal(fixture.store.versionBase, 2 * PROMOTION_VERSION_STEP);
  });

  it("raises versions also when its node died before it began to lead", () => {
    const candidate = new Candidate();
    const { fixture } = candidate;
    fixture.promote();
    candidate.answer([NODES.a, NODES.c]);
    candidate.stepDown(EMPTY);
    const { leadership } = fixture.last("STORE_LEADERSHIP").header;
    fixture.crash();
    const { id } = fixture.last("STATE_QUERY").header;
    fixture.advance(10);
    for (const node of [NODES.a, NODES.c]) fixture.hear(node, "STATE", accountOf(node, id, leadership));
    fixture.advance(1500);
    assert.equal(fixture.member.role, "leader");
    assert.equal(fixture.store.versionBase, PROMOTION_VERSION_STEP);
  });
});

describe("A leader that restarts", () => {
  it("leaves versions where they are", () => {
    const pair = new MemberPair();
    pair.leader.start();
    pair.advance(1500);
    pair.leader.crash();
    pair.advance(1500);
    assert.equal(pair.leader.member.role, "leader");
    assert.equal(pair.leader.store.lastEpoch.epoch, 2);
    assert.equal(pair.leader.store.versionBase, 0);
  });
});
