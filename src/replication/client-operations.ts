import type { Clock, Timers } from "../base/clock.ts";
import { mutant } from "../base/mutants.ts";
import { BoundedQueue } from "../base/bounded-queue.ts";
import { SPACE, type EntryBody, type Mutation } from "../model/entry.ts";
import type { Room } from "../log/log.ts";
import { KvError } from "../model/errors.ts";
import { LIMITS } from "../model/limits.ts";
import { DEFAULT_OPTIONS } from "../model/operation.ts";
import type {
  Answerer,
  Operation,
  Reply,
  ReplyCallback,
  RequestOptions,
  Result,
  SeenPosition,
} from "../model/operation.ts";
import type { EpochRef, Sequence } from "../model/position.ts";
import { evaluate, type Evaluation } from "../shard/evaluate.ts";
import type { ShardStore } from "../shard/shard-store.ts";
import type { Seen } from "../shard/shard-view.ts";
import type { Guarantee, PendingAnswers } from "./pending-answers.ts";
import { isHeldBy } from "./position-check.ts";
import type { Beacon } from "./read-lease.ts";
import { diskFull, notHeld, segmentMissing, treeBehind } from "./operation-refusals.ts";
import type { NamedOperation, RequestIds } from "./request-ids.ts";
import { RoomShortage } from "./room-shortage.ts";
import { UncommittedTail } from "./uncommitted-tail.ts";

/** What client operations need of the leadership that they belong to. */
export interface ClientOperationsParts {
  readonly clock: Clock;
  readonly timers: Timers;
  readonly store: ShardStore;
  readonly answers: PendingAnswers;
  readonly epoch: EpochRef;
  readonly lineage: number;
  /** First entry of this leadership: nothing is read before it is committed (rule R3). */
  readonly epochStart: Sequence;
  readonly answerer: Answerer;
  /** What a write without `durability` waits for, and what makes an entry committed. */
  readonly clusterGuarantee: Guarantee;
  /** Why a write that needs the in-sync set cannot be taken now (rule K5); null when it can. */
  readonly inSyncRefusal: () => KvError | null;
  readonly requests: RequestIds;
  /** Asks the replicas whether they still follow; an echo of a beacon newer than the one returned says that they did. */
  readonly prove: () => Beacon;
}

interface ParkedOperation {
  readonly operation: Operation;
  readonly options: RequestOptions;
  readonly done: ReplyCallback;
  readonly deadlineMs: number;
}

/** Bytes of an entry besides its mutations' keys and values: header, flags, lengths, expiry. */
const ENTRY_OVERHEAD_BYTES = 64;
const MUTATION_OVERHEAD_BYTES = 24;
const EVERYTHING = Number.MAX_SAFE_INTEGER;

/**
 * What clients ask of a leader: evaluated against everything appended, appended in the same step (rule S8), and answered
 * when what was written or seen is committed (rules R1–R4, R6).
 *
 * Everything that can refuse a write is asked *before* it is appended (K5, S4); afterwards it is ok or unknown (U1).
 * While the log prepares a segment, or the memtable is full, operations wait in order, so that a read never overtakes the write before it.
 */
export class ClientOperations {
  readonly #parts: ClientOperationsParts;
  readonly #parked = new BoundedQueue<ParkedOperation>(LIMITS.parkedOperationsMax);
  readonly #uncommitted = new UncommittedTail();
  #isAwaitingRoom = false;
  /** Since when operations have waited for the log's next segment; null when none does. */
  #segmentMissingSinceMs: number | null = null;
  readonly shortage: RoomShortage;
  /** Why everything waits: the leadership is about to be handed over. */
  #isHeld = false;
  #isEnded = false;
  operationCount: { reads: number; writes: number } = { reads: 0, writes: 0 };

  constructor(parts: ClientOperationsParts) {
    this.#parts = parts;
    this.shortage = new RoomShortage(parts.clock, parts.store);
  }

  execute(operation: Operation, options: RequestOptions, done: ReplyCallback): void {
    if (this.#parked.count === 0 && !this.#isHeld && this.#attempt(operation, options, done)) return;
    this.#park({ operation, options, done, deadlineMs: this.#parts.clock.nowMs() + LIMITS.readWaitMsMax });
  }

  /** From now on operations wait, reads too: what was taken before gets settled meanwhile (§2.9, Handover). */
  hold(): void {
    this.#isHeld = true;
  }

  /** The leadership goes on: what has waited is done, in order. */
  release(): void {
    this.#isHeld = false;
    this.onRoom();
  }

  /** Tries again what waits for room in the log or the memtable, in order. */
  onRoom(): void {
    if (this.#isHeld && !this.#isEnded) return;
    for (let parked = this.#parked.peek(); parked !== undefined; parked = this.#parked.peek()) {
      if (this.#isEnded) parked.done(refusal(this.#endedError()));
      else if (!this.#attempt(parked.operation, parked.options, parked.done)) return this.#awaitRoom();
      this.#parked.take();
    }
  }

  /** For how long nothing could be appended because the log was making its next segment, in milliseconds: a disk that hangs (rule L8). */
  get segmentMissingMs(): number {
    return this.#segmentMissingSinceMs === null ? 0 : this.#parts.clock.nowMs() - this.#segmentMissingSinceMs;
  }

  /** Entries up to `sequence` are committed: they no longer press on the limits of the uncommitted tail. */
  onCommitted(sequence: Sequence): void {
    this.#uncommitted.commit(sequence);
  }

  /** Refuses what waited too long for the log's next segment, or for the tree: definitely not applied. */
  sweep(): void {
    const nowMs = this.#parts.clock.nowMs();
    for (let parked = this.#parked.peek(); parked !== undefined; parked = this.#parked.peek()) {
      if (parked.deadlineMs > nowMs) return;
      this.#parked.take();
      parked.done(refusal(this.#reasonOfWait()));
    }
  }

  /** The leadership is over: what is parked was never appended, so it is definitely not applied. */
  end(): void {
    this.#isEnded = true;
    this.onRoom();
  }

  /** Removes expired keys, found through the tree's index, without anybody asking. Returns how many were still there. */
  expire(keys: readonly string[]): number {
    const { store } = this.#parts;
    const nowMs = store.clock.nowMs();
    const mutations: Mutation[] = [];
    let damagedCount = 0;
    for (const key of keys) {
      const seen = this.#lookAt(key);
      if (seen === null) damagedCount++;
      const record = seen?.record ?? null;
      if (record === null || record.expiryMs === 0 || record.expiryMs > nowMs) continue;
      mutations.push({ space: SPACE.user, key, value: null, expiryMs: 0, contentType: "" });
    }
    this.#appendUnasked(mutations);
    return mutations.length + damagedCount;
  }

  /** Removes what is remembered of requests for long enough (rules U2, G4). */
  forgetRequests(): void {
    const { requests } = this.#parts;
    const mutations = requests.takeOver();
    if (this.#appendUnasked(mutations)) for (const row of mutations) requests.note(row);
  }

  /** False, with nothing done, when clients' writes would not be taken now either, or have to wait. */
  #appendUnasked(mutations: readonly Mutation[]): boolean {
    if (mutations.length === 0) return false;
    const bytes = sizeOf(mutations);
    const isRefused = this.#isHeld || this.#refusal(bytes, DEFAULT_OPTIONS) !== null || this.#parked.count > 0;
    if (isRefused || this.#roomFor(bytes) !== "yes") return false;
    this.#append({ kind: "data", mutations }, bytes);
    return true;
  }

  /** Null when the stored record is damaged: it waits for its repair (rule S5), and nobody asked for it. */
  #lookAt(key: string): Seen | null {
    try {
      return this.#parts.store.view.get(SPACE.user, key, EVERYTHING);
    } catch (error) {
      if (error instanceof KvError) return null;
      throw error;
    }
  }

  /** Evaluates, appends and answers in one step; false, with nothing done, when the log is still preparing room. */
  #attempt(operation: Operation, options: RequestOptions, done: ReplyCallback): boolean {
    const { seen, requestId } = options;
    let evaluation: Evaluation | null;
    let row: Mutation | null = null;
    try {
      if (seen !== undefined && !this.#holds(seen)) return this.#answerNotHeld(options, done);
      if (requestId !== undefined && this.#answerAgain({ id: requestId, operation }, options, done)) return true;
      evaluation = operation.kind === "clear" ? null : this.#evaluate(operation);
      if (requestId !== undefined) row = this.#rowOf({ id: requestId, operation }, evaluation);
    } catch (error) {
      if (!(error instanceof KvError)) throw error;
      done(refusal(error));
      return true;
    }
    if (evaluation !== null && evaluation.mutations.length === 0) {
      this.#answerRead(evaluation, options, done);
      return true;
    }
    const effect = evaluation?.mutations ?? [];
    const mutations = row === null || mutant("M60") ? effect : [...effect, row];
    const bytes = sizeOf(mutations);
    const refused = this.#refusal(bytes, options);
    const room = refused === null ? this.#roomFor(bytes) : "full";
    if (refused === null && room !== "yes") this.shortage.note(bytes);
    if (room === "preparing") return false;
    if (room === "full") {
      done(refusal(refused ?? diskFull()));
      return true;
    }
    const body: EntryBody = evaluation === null ? { kind: "clear" } : { kind: "data", mutations };
    const result: Result = evaluation?.result ?? { kind: "cleared" };
    const entry = { body, bytes, result, row };
    if (mutant("M70")) this.#parts.timers.soon(() => this.#write({ operation, options, done }, entry));
    else this.#write({ operation, options, done }, entry);
    return true;
  }

  #answerRead(evaluation: Evaluation, options: RequestOptions, done: ReplyCallback): void {
    const { epoch, lineage, epochStart, answerer, store } = this.#parts;
    this.operationCount.reads++;
    const { result, saw } = evaluation;
    const sequence = Math.max(saw, epochStart);
    // What lies in the tree does not say which entry wrote it: the answer stands behind everything settled.
    const position = { epoch: epoch.epoch, lineage, sequence: Math.max(sequence, store.settledSequence) };
    const reply: Reply = { ok: true, result, answerer, position };
    if (mutant("M45") || (mutant("M48") && result.kind !== "value")) done(reply);
    else this.#addRead(mutant("M49") ? saw : sequence, reply, options, done);
  }

  #addRead(sequence: Sequence, reply: Reply, { consistency }: RequestOptions, done: ReplyCallback): void {
    const { answers, clusterGuarantee, prove } = this.#parts;
    const after = consistency === "strict" ? prove() : null;
    answers.add({ sequence, guarantee: clusterGuarantee, isWrite: false, after }, reply, done);
  }

  /** Whether what the asker has seen is part of this history (M53): positions are compared whole, not by their sequence alone. */
  #holds(seen: SeenPosition): boolean {
    const { epoch, lineage, epochStart, store, answerer } = this.#parts;
    if (seen.shard !== answerer.shard || seen.sequence === 0) return true;
    if (seen.sequence > store.lastSequence || mutant("M53")) return mutant("M53");
    if (seen.sequence < epochStart) return isHeldBy(store.log, seen);
    return seen.epoch === epoch.epoch && seen.lineage === lineage;
  }

  /**
   * A read that found nothing (rule R6), and strict whatever was asked: that what somebody has seen is lost, only he may say of whom it
   * is sure without any clock that he leads. One deposed lacks what came after him.
   */
  #answerNotHeld(options: RequestOptions, done: ReplyCallback): true {
    this.#addRead(this.#parts.epochStart, refusal(notHeld()), { ...options, consistency: "strict" }, done);
    return true;
  }

  /**
   * Answers a request that was made before with what came of it then, once that is committed (M61): a repetition of one in flight
   * waits for the same entry. False when there was none.
   */
  #answerAgain(named: NamedOperation, options: RequestOptions, done: ReplyCallback): boolean {
    const { answerer, answers, clusterGuarantee, epochStart, requests } = this.#parts;
    const row = requests.find(named);
    if (row === null) return false;
    this.operationCount.reads++;
    const reply: Reply = { ok: true, result: row.result, answerer, position: row.position };
    const asked = guaranteeOf(options, clusterGuarantee);
    const guarantee = asked === "in-sync" ? asked : clusterGuarantee;
    const sequence = Math.max(row.position.sequence, epochStart);
    if (mutant("M61")) done(reply);
    else answers.add({ sequence, guarantee, isWrite: true }, reply, done);
    return true;
  }

  /** What is to be remembered of a request; null when it has no effect: done again, it says what is true then. */
  #rowOf(named: NamedOperation, evaluation: Evaluation | null): Mutation | null {
    const { epoch, lineage, store, requests } = this.#parts;
    if (evaluation === null) throw new KvError("INVALID_ARGUMENT", "A clear takes no Idempotency-Key");
    if (evaluation.mutations.length === 0) return null;
    const position = { epoch: epoch.epoch, lineage, sequence: store.lastSequence + 1 };
    return requests.rowFor(named, { position, result: evaluation.result });
  }

  #write(
    request: { readonly operation: Operation; readonly options: RequestOptions; readonly done: ReplyCallback },
    entry: { readonly body: EntryBody; readonly bytes: number; readonly result: Result; readonly row: Mutation | null },
  ): void {
    const { epoch, lineage, answerer, answers, clusterGuarantee, requests } = this.#parts;
    this.operationCount.writes++;
    const sequence = this.#append(entry.body, entry.bytes);
    if (entry.row !== null) requests.note(entry.row);
    const position = { epoch: epoch.epoch, lineage, sequence };
    const reply: Reply = { ok: true, result: entry.result, answerer, position };
    const { kind } = request.operation;
    // A read that met an expired key wrote its delete: it is a read all the same.
    const isRead = kind === "get" || kind === "describe" || kind === "scan";
    if (isRead) return this.#addRead(sequence, reply, request.options, request.done);
    const guarantee = guaranteeOf(request.options, clusterGuarantee);
    answers.add({ sequence, guarantee, isWrite: true }, reply, request.done);
  }

  #append(body: EntryBody, bytes: number): Sequence {
    const sequence = this.#parts.store.append(this.#parts.epoch, body);
    this.shortage.end();
    this.#uncommitted.append(sequence, bytes, this.#parts.clock.nowMs());
    return sequence;
  }

  #evaluate(operation: Exclude<Operation, { kind: "clear" }>): Evaluation {
    const { store } = this.#parts;
    return evaluate(operation, {
      get: (key) => store.view.get(SPACE.user, key, EVERYTHING),
      page: (scan, nowMs) => store.view.page(scan, EVERYTHING, nowMs),
      nowMs: store.clock.nowMs(),
      nextVersion: store.nextVersion,
    });
  }

  /** Why an entry of `bytes` cannot be appended now; asked before append, so nothing has to be taken back. */
  #refusal(bytes: number, options: RequestOptions): KvError | null {
    if (guaranteeOf(options, this.#parts.clusterGuarantee) === "in-sync") {
      const error = this.#parts.inSyncRefusal();
      if (error !== null) return error;
    }
    const { oldestMs, bytes: waitingBytes, count } = this.#uncommitted;
    if (oldestMs !== null && this.#parts.clock.nowMs() - oldestMs > LIMITS.uncommittedAgeMsMax) {
      return this.#stalled("The oldest write has waited for its commit for more than a second");
    }
    const isOver = waitingBytes + bytes > LIMITS.uncommittedBytesMax || count >= LIMITS.uncommittedEntriesMax;
    if (isOver && count > 0) return this.#stalled("Too much is waiting for its commit");
    return null;
  }

  /** Writes wait for the tree as they wait for a segment: what it takes in makes room in the memtable. */
  #roomFor(bytes: number): Room {
    const { store } = this.#parts;
    return store.memtable.isFull ? "preparing" : store.roomFor(bytes);
  }

  /** What waits for its commit stands in the way of every write; where a silent member is the reason, it is named (rule K5). */
  #stalled(symptom: string): KvError {
    const silence = this.#parts.clusterGuarantee === "in-sync" ? this.#parts.inSyncRefusal() : null;
    return silence ?? new KvError("OVERLOADED", symptom);
  }

  #park(parked: ParkedOperation): void {
    const isFirst = this.#parked.count === 0;
    if (!this.#parked.push(parked)) {
      parked.done(refusal(new KvError("OVERLOADED", "Too many operations wait for room in the log")));
      return;
    }
    if (isFirst) this.#awaitRoom();
  }

  #awaitRoom(): void {
    const { store, clock } = this.#parts;
    if (!this.#isHeld && !store.memtable.isFull) this.#segmentMissingSinceMs ??= clock.nowMs();
    if (this.#isAwaitingRoom) return;
    this.#isAwaitingRoom = true;
    store.log.whenRoomChanges(() => {
      this.#isAwaitingRoom = false;
      this.#segmentMissingSinceMs = null;
      this.onRoom();
    });
  }

  #reasonOfWait(): KvError {
    if (this.#isHeld) return new KvError("BUSY", "The leadership of the shard is being handed over");
    return this.#parts.store.memtable.isFull ? treeBehind() : segmentMissing();
  }

  #endedError(): KvError {
    return new KvError("NOT_LEADER", `This node does not lead shard ${this.#parts.answerer.shard} any more`);
  }
}

function guaranteeOf(options: RequestOptions, ofCluster: Guarantee): Guarantee {
  if (options.durability === null) return ofCluster;
  return options.durability === "in-sync" ? "in-sync" : "flushed";
}

function sizeOf(mutations: readonly Mutation[]): number {
  let bytes = ENTRY_OVERHEAD_BYTES;
  for (const { key, value } of mutations) bytes += MUTATION_OVERHEAD_BYTES + 256 + key.length + (value?.length ?? 0);
  return bytes;
}

function refusal(error: KvError): Reply {
  return { ok: false, error };
}
