import assert from "node:assert/strict";
import { SPACE } from "../../src/model/entry.ts";
import type { KvError } from "../../src/model/errors.ts";
import { keyOfText } from "../../src/model/key.ts";
import { DEFAULT_OPTIONS } from "../../src/model/operation.ts";
import type { Condition, KeyOperation, Operation, Reply, RequestOptions } from "../../src/model/operation.ts";
import { ClientOperations } from "../../src/replication/client-operations.ts";
import { PendingAnswers, type Guarantee } from "../../src/replication/pending-answers.ts";
import { RequestIds } from "../../src/replication/request-ids.ts";
import { StoreFixture } from "./store-fixture.ts";

/** A leader's client operations over a real log on a simulated disk; the replicas are a switch. */
export class OperationsWorld {
  readonly fixture: StoreFixture;
  readonly timers: StoreFixture["timers"];
  readonly store: StoreFixture["store"];
  readonly answers: PendingAnswers;
  readonly operations: ClientOperations;
  readonly #guarantee: Guarantee;
  /** Numbers of requests, in the order in which they were answered. */
  readonly order: number[] = [];
  replicasAnswer = true;
  hasLease = true;
  readonly requests: RequestIds;
  /** How often it was asked for a proof that it still leads, and which of those questions are answered. */
  proofCount = 0;
  proven = 0;
  refusal: KvError | null = null;
  /** Requests that had no answer and were not in the log right after they were made. */
  waitedCount = 0;
  #askedCount = 0;
  #confirmed = 0;

  constructor(
    guarantee: Guarantee = "flushed",
    options: {
      readonly isOpen?: boolean;
      readonly segmentMs?: number;
      readonly largeSegments?: boolean;
      readonly keptMs?: number;
      readonly countMax?: number;
    } = {},
  ) {
    const { isOpen = true, segmentMs = 0, largeSegments = false, keptMs = 1000, countMax = 100 } = options;
    const mebibyte = 1024 * 1024;
    const sizes = { segmentBytesFirst: 24 * mebibyte, segmentBytesMax: 24 * mebibyte, tailBytesMax: mebibyte };
    this.fixture = new StoreFixture(largeSegments ? { sizes } : {});
    this.timers = this.fixture.timers;
    this.store = this.fixture.open();
    this.#guarantee = guarantee;
    const term = "00000000000000aa";
    const start = { term, previous: { epoch: 0, term }, versionBase: 0, lineage: 0, inSync: [] };
    const epoch = { epoch: 1, term };
    const epochStart = this.store.append(epoch, { kind: "epochStart", start });
    this.answers = new PendingAnswers(this.timers, 0, (after) =>
      after === null ? this.hasLease : this.proven > after,
    );
    this.replicasAnswer = isOpen;
    this.requests = new RequestIds({ clock: this.timers, store: this.store, keptMs, countMax });
    this.operations = new ClientOperations({
      clock: this.timers,
      timers: this.timers,
      store: this.store,
      answers: this.answers,
      epoch,
      lineage: 0,
      epochStart,
      answerer: { shard: "Delhi", node: "a", role: "leader", lagMs: 0 },
      clusterGuarantee: guarantee,
      inSyncRefusal: () => this.refusal,
      requests: this.requests,
      prove: () => {
        this.proofCount++;
        return this.proofCount;
      },
    });
    this.fixture.listener = { onFlushed: () => this.advanceCommit(), onApplied: () => this.operations.onRoom() };
    this.settle();
    this.fixture.disk.faults.flushMs = () => segmentMs;
    this.#everySoOften();
  }

  /** What the leader does when something was flushed, here or on the replicas (§2.7). */
  advanceCommit(): void {
    const { durableSequence } = this.store;
    if (this.replicasAnswer) this.#confirmed = durableSequence;
    const commit = this.#guarantee === "flushed" ? durableSequence : this.#confirmed;
    this.store.commit(commit);
    this.operations.onCommitted(commit);
    this.answers.advance("flushed", durableSequence);
    this.answers.advance("in-sync", this.#confirmed);
  }

  /** Executes one operation; the function tells the answer, or null as long as there is none. */
  ask(operation: Operation, options: RequestOptions = DEFAULT_OPTIONS): [() => Reply | null] {
    let answer: Reply | null = null;
    const number = this.#askedCount++;
    const before = this.store.lastSequence;
    this.operations.execute(operation, options, (reply) => {
      assert.equal(answer, null, "one outcome for each request");
      answer = reply;
      this.order.push(number);
    });
    if (answer === null && this.store.lastSequence === before) this.waitedCount++;
    return [() => answer];
  }

  refuses(operation: Operation, code: string): void {
    const { lastSequence } = this.store;
    const [reply] = this.ask(operation);
    assert.deepEqual([errorOf(reply()).code, errorOf(reply()).outcome], [code, "not_applied"]);
    this.settle();
    assert.equal(this.store.lastSequence, lastSequence);
    if (operation.kind === "set") assert.equal(this.fixture.read(operation.key), null);
  }

  accepts(operation: Operation): void {
    const [reply] = this.ask(operation);
    this.timers.advance(100);
    assert.equal(reply()?.ok, true);
  }

  /** Writes until the log must prepare its next segment. */
  fillSegment(): (() => Reply | null)[] {
    const replies: (() => Reply | null)[] = [];
    for (let i = 0; this.store.roomFor(2000) === "yes"; i++) {
      replies.push(...this.ask(set(`fill${i}`, "x".repeat(1000))));
    }
    replies.push(...this.ask(set("fill", "x".repeat(1600))));
    return replies;
  }

  settle(): void {
    this.fixture.settle();
  }

  /** Executes one operation and lets it come to its end. */
  settled(operation: Operation, options: RequestOptions = DEFAULT_OPTIONS): Reply | null {
    const [reply] = this.ask(operation, options);
    this.settle();
    return reply();
  }

  /** Has the tree take in everything. */
  inTree(): void {
    this.store.applyNow();
    this.timers.advance(100);
    assert.equal(this.store.appliedSequence, this.store.settledSequence);
  }

  /** What is remembered of the request `id`: the entry, null when there is nothing. */
  rowOf(id: string): { readonly sequence: number } | null {
    const { record, sequence } = this.store.view.get(SPACE.requestIds, id, Number.MAX_SAFE_INTEGER);
    return record === null ? null : { sequence };
  }

  #everySoOften(): void {
    this.timers.after(50, () => {
      this.answers.sweep();
      this.operations.sweep();
      if (this.replicasAnswer) this.advanceCommit();
      this.#everySoOften();
    });
  }
}

export function get(key: string): KeyOperation {
  return { kind: "get", key: keyOfText(key) };
}

export function set(
  key: string,
  text: string,
  condition: Condition | null = null,
  ttlMs: number | null = null,
): KeyOperation {
  const expiry = ttlMs === null ? ({ kind: "none" } as const) : ({ kind: "after", ms: ttlMs } as const);
  return {
    kind: "set",
    key: keyOfText(key),
    value: Buffer.from(text),
    contentType: "",
    expiry,
    condition,
    returnOld: false,
  };
}

export function increment(key: string): KeyOperation {
  return { kind: "increment", key: keyOfText(key), by: 1n };
}

export function errorOf(reply: Reply | null): KvError {
  return reply !== null && !reply.ok ? reply.error : assert.fail(`no error but ${summaryOf(reply)}`);
}

export function summaryOf(reply: Reply | null): string | null {
  if (reply === null) return null;
  if (!reply.ok) return reply.error.code;
  const { result } = reply;
  if (result.kind === "written") return `${result.created ? "created" : "replaced"} @${result.version}`;
  if (result.kind === "value") return `"${result.record.value.toString()}" @${result.record.version}`;
  if (result.kind === "incremented") return `${result.value} @${result.version}`;
  if (result.kind === "not-met") return `not met by "${result.old?.value.toString()}"`;
  return result.kind === "failed" ? result.error.code : result.kind;
}
