import assert from "node:assert/strict";
import { test } from "node:test";
import { SeededRandom } from "../../base/random.ts";
import { Answer, type AnswerKind } from "./client-protocol.ts";
import { Operation } from "./operation.ts";
import { OutageWatch } from "./outage-watch.ts";
import { ReadBackSource } from "./read-back-source.ts";
import { Records } from "./records.ts";
import { RespProtocol } from "./resp-protocol.ts";
import { TracedSource } from "./traced-source.ts";
import { WriteTrace } from "./write-trace.ts";

const records = new Records("bench:", 32);
const protocol = new RespProtocol(records);
const KEY_COUNT = 3;

test("a read that shows less than was acknowledged before it began is stale; one that began earlier is not", () => {
  const { trace, write, read } = scene();
  const [early, first] = [read(0), write(0)];
  first.answer("done", "OK");
  const late = read(0);
  assert.equal(early.answer("value", records.valueOf(0, 0)), undefined);
  assert.equal(late.answer("value", records.valueOf(0, 1)), undefined);
  assert.equal(read(0).answer("value", records.valueOf(0, 0)), "STALE_READ");
  assert.equal(read(0).answer("value", records.valueOf(0, 9)), "IMPOSSIBLE");
  assert.equal(read(0).answer("missing", ""), "MISSING");
  assert.equal(trace.acknowledgedCount, 1);
});

test("a write without an answer may show at any later time; one that was refused may be followed by the next", () => {
  const { trace, write, read } = scene();
  write(0).lose();
  assert.equal(write(0).answer("error", "UNKNOWN who knows"), "UNKNOWN");
  assert.equal(write(0).answer("error", "TRYAGAIN no leader"), "TRYAGAIN");
  write(0).answer("done", "OK");
  assert.equal(trace.openCount, 2);
  for (const counter of [1, 2, 4]) assert.equal(read(0).answer("value", records.valueOf(0, counter)), undefined);
  for (const counter of [0, 3]) assert.equal(read(0).answer("value", records.valueOf(0, counter)), "STALE_READ");
});

test("a key has one write under way, and there is none to draw when all have", () => {
  const trace = new WriteTrace(KEY_COUNT);
  const source = tracedSource(trace, 0);
  const drawn = Array.from({ length: KEY_COUNT }, () => new Operation());
  for (const operation of drawn) assert.ok(source.draw(operation));
  assert.deepEqual(
    drawn.map(({ index }) => index),
    [0, 1, 2],
  );
  assert.equal(source.draw(new Operation()), false);
  source.lost(drawn[1] ?? new Operation());
  const next = new Operation();
  assert.ok(source.draw(next));
  assert.deepEqual([next.index, next.counter], [1, 2]);
});

test("reading back finds the keys whose last acknowledged write is gone, and asks again where it was refused", () => {
  const trace = new WriteTrace(KEY_COUNT);
  for (let index = 0; index < KEY_COUNT; index++) trace.acknowledge(index, trace.begin(index));
  const source = new ReadBackSource(records, trace);
  const asked: number[] = [];
  const operation = new Operation();
  let refusals = 2;
  while (source.draw(operation)) {
    asked.push(operation.index);
    const value = records.valueOf(operation.index, operation.index === 2 ? 0 : 1);
    const answer = refusals-- > 0 ? answerOf("error", "TRYAGAIN wait") : answerOf("value", value);
    source.judge(operation, answer, protocol);
  }
  assert.deepEqual(asked, [0, 0, 0, 1, 2]);
  assert.deepEqual([source.isExhausted, source.unreadCount, source.lostCount], [true, 0, 1]);
  assert.match(source.firstLost ?? "", /bench:0000000002 showed write 0 after write 1/);
});

test("an outage is a gap between acknowledgements, at the end too", () => {
  const watch = new OutageWatch("Delhi", 1000);
  for (const ms of [1010, 1100, 1300, 3300, 3310]) watch.acknowledged(ms);
  assert.deepEqual(watch.outagesUntil(4310), [
    { shard: "Delhi", fromSeconds: 0.3, seconds: 2 },
    { shard: "Delhi", fromSeconds: 2.31, seconds: 1 },
  ]);
});

interface Drawn {
  /** The failure's code. */
  readonly answer: (kind: AnswerKind, text: string) => string | undefined;
  readonly lose: () => void;
}

function scene(): { trace: WriteTrace; write: (index: number) => Drawn; read: (index: number) => Drawn } {
  const trace = new WriteTrace(KEY_COUNT);
  const drawUntil = (source: TracedSource, index: number): Drawn => {
    const operation = new Operation();
    do {
      if (operation.kind === "write" && operation.counter > 0) source.abandoned(operation);
      assert.ok(source.draw(operation));
    } while (operation.index !== index);
    return {
      answer: (kind, text) => source.judge(operation, answerOf(kind, text), protocol)?.code,
      lose: () => source.lost(operation),
    };
  };
  // Other keys' writes are drawn on the way and abandoned, which numbers them on; only key 0 is looked at.
  const writes = tracedSource(trace, 0);
  const reads = tracedSource(trace, 1);
  return { trace, write: (index) => drawUntil(writes, index), read: (index) => drawUntil(reads, index) };
}

function tracedSource(trace: WriteTrace, readFraction: number): TracedSource {
  return new TracedSource({ records, trace, random: new SeededRandom(2), readFraction, onAcknowledged: () => {} });
}

function answerOf(kind: AnswerKind, text: string): Answer {
  const answer = new Answer();
  answer.kind = kind;
  answer.bytes = Buffer.from(text, "latin1");
  answer.end = text.length;
  return answer;
}
