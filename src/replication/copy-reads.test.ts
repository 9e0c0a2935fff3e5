import assert from "node:assert/strict";
import { afterEach, describe, test } from "node:test";
import { MemberPair } from "../../tests/support/member-pair.ts";
import { clearMutants, plantMutant } from "../base/mutants.ts";
import { keyOfText } from "../model/key.ts";
import { LIMITS } from "../model/limits.ts";
import type { Operation, Position, Reply, RequestOptions } from "../model/operation.ts";

const GET: Operation = { kind: "get", key: keyOfText("k") };
const SHARD = "Delhi";

afterEach(() => clearMutants());

describe("a read of a copy that must have seen what its asker has", () => {
  test("is answered at once when the copy has it", () => {
    const pair = startedPair();
    const position = written(pair, "new");
    pair.advance(300);
    const read = pair.replica.execute(GET, seen(position));
    assert.equal(textOf(read.reply), "new");
    assert.ok(read.reply?.ok === true && read.reply.answerer.role === "replica");
  });

  test("waits until the copy has it", () => {
    const pair = startedPair();
    const position = written(pair, "new");
    const read = pair.replica.execute(GET, seen(position));
    assert.equal(read.reply, null);
    pair.advance(100);
    assert.equal(textOf(read.reply), "new");
  });

  test("goes to the leader when that takes too long, or nothing comes any more", () => {
    const pair = startedPair();
    const position = { ...written(pair, "new"), sequence: 1000 };
    const late = pair.replica.execute(GET, seen(position));
    pair.advance(LIMITS.sessionWaitMsMax + 150);
    assert.equal(codeOf(late.reply), "NOT_LEADER");
    pair.replica.member.onDisconnected("a:80");
    assert.equal(codeOf(pair.replica.execute(GET, seen(position)).reply), "NOT_LEADER");
  });

  test("goes to the leader when the copy's history is another one (M53)", () => {
    const pair = startedPair();
    const position = written(pair, "new");
    pair.advance(300);
    for (const other of [
      { ...position, epoch: 7 },
      { ...position, lineage: 3 },
    ]) {
      assert.equal(codeOf(pair.replica.execute(GET, seen(other)).reply), "NOT_LEADER");
    }
    plantMutant("M53");
    assert.equal(textOf(pair.replica.execute(GET, seen({ ...position, epoch: 7 })).reply), "new");
  });

  test("is not bound by what was seen of another shard", () => {
    const pair = startedPair();
    const other = { shard: "Mumbai", epoch: 99, lineage: 0, sequence: 99_999 };
    assert.equal(pair.replica.execute(GET, { ...EVENTUAL, seen: other }).reply?.ok, true);
  });

  test("takes a copy's own answers for what was seen", () => {
    const pair = startedPair();
    written(pair, "new");
    pair.advance(300);
    const first = pair.replica.execute(GET, EVENTUAL).reply;
    assert.ok(first?.ok === true);
    assert.equal(textOf(pair.replica.execute(GET, seen(first.position)).reply), "new");
    assert.equal(textOf(pair.leader.execute(GET, seen(first.position)).reply), "new");
  });
});

describe("a leader that is told what its asker has seen", () => {
  test("serves it when it is part of its history, and refuses reads and writes when it is not", () => {
    const pair = startedPair();
    const position = written(pair, "new");
    assert.equal(textOf(pair.leader.execute(GET, seen(position)).reply), "new");
    const lastSequence = pair.leader.store.lastSequence;
    const write: Operation = { kind: "delete", key: keyOfText("k"), condition: null };
    const others: readonly Position[] = [
      { ...position, epoch: position.epoch + 1 },
      { ...position, epoch: position.epoch - 1 },
      { ...position, lineage: 1 },
      { ...position, sequence: 5000 },
    ];
    for (const other of others) {
      const options: RequestOptions = { ...seen(other), consistency: "linearizable" };
      const read = pair.leader.execute(GET, options);
      const refused = pair.leader.execute(write, options);
      pair.advance(100);
      assert.equal(codeOf(read.reply), "POSITION_NOT_HELD");
      assert.equal(codeOf(refused.reply), "POSITION_NOT_HELD");
    }
    assert.equal(pair.leader.store.lastSequence, lastSequence);
  });
});

describe("a leader that lacks what its asker has seen", () => {
  test("does not say that it is lost before its replicas have confirmed, after the question, that it still leads", () => {
    const pair = startedPair();
    const position = written(pair, "new");
    pair.leader.member.onDisconnected("b:80");
    const read = pair.leader.execute(GET, { ...seen({ ...position, epoch: 9 }), consistency: "linearizable" });
    pair.leader.advance(LIMITS.readWaitMsMax + 200);
    assert.equal(codeOf(read.reply), "BUSY");
  });
});

describe("a read of a copy that must be fresh", () => {
  test("is answered while the leader proves it, and goes to the leader when it no longer does", () => {
    const pair = startedPair();
    written(pair, "new");
    pair.advance(1000);
    const read = pair.replica.execute(GET, fresh(500));
    assert.equal(textOf(read.reply), "new");
    assert.ok(read.reply?.ok === true && read.reply.answerer.lagMs > 0 && read.reply.answerer.lagMs <= 500);
    pair.leader.member.onDisconnected("b:80");
    pair.replica.advance(600);
    assert.equal(codeOf(pair.replica.execute(GET, fresh(500)).reply), "NOT_LEADER");
    assert.equal(textOf(pair.replica.execute(GET, fresh(60_000)).reply), "new");
  });

  test("says how old it may be, also when nobody asked (KV-Lag-Ms)", () => {
    const pair = startedPair();
    pair.advance(1000);
    pair.replica.advance(3000);
    const { reply } = pair.replica.execute(GET, EVENTUAL);
    assert.ok(reply?.ok === true && reply.answerer.lagMs >= 3000, JSON.stringify(reply));
  });

  test("is asked of the leader by a copy that was never proven fresh", () => {
    const pair = new MemberPair();
    pair.startReplica();
    pair.replica.advance(3000);
    assert.equal(codeOf(pair.replica.execute(GET, fresh(1e9)).reply), "NOT_LEADER");
  });
});

const EVENTUAL: RequestOptions = { consistency: "eventual", durability: null };

function seen(position: Position): RequestOptions {
  return { ...EVENTUAL, seen: { shard: SHARD, ...position } };
}

function fresh(maxLagMs: number): RequestOptions {
  return { ...EVENTUAL, maxLagMs };
}

function startedPair(): MemberPair {
  const pair = new MemberPair();
  pair.leader.start();
  pair.startReplica();
  pair.advance(1500);
  return pair;
}

/** Writes "k" and waits for the leader's answer, not for the replica. */
function written(pair: MemberPair, text: string): Position {
  const { reply } = settled(pair, pair.leader.set("k", text));
  assert.ok(reply?.ok === true);
  return reply.position;
}

function settled(pair: MemberPair, answer: { reply: Reply | null }): { reply: Reply | null } {
  for (let i = 0; i < 200 && answer.reply === null; i++) pair.leader.advance(1);
  return answer;
}

function textOf(reply: Reply | null): string {
  assert.ok(reply?.ok === true && reply.result.kind === "value", JSON.stringify(reply));
  return reply.result.record.value.toString();
}

function codeOf(reply: Reply | null): string {
  return reply === null ? "no answer" : reply.ok ? reply.result.kind : reply.error.code;
}
