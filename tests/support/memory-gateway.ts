import type { Clock } from "../../src/base/clock.ts";
import { KvError } from "../../src/model/errors.ts";
import { keyOfBinary, type Key } from "../../src/model/key.ts";
import type {
  Answerer,
  BatchOperation,
  KeyOperation,
  Reply,
  ReplyCallback,
  RequestOptions,
  Result,
} from "../../src/model/operation.ts";
import { isExpired, type Record } from "../../src/model/record.ts";
import { hashOfKey, slotOfKey } from "../../src/model/slot.ts";
import type { MemberStatus, PromotionReport, PromotionRequest } from "../../src/model/status.ts";
import type {
  ClusterPage,
  ClusterScan,
  ClusterStatus,
  Explanation,
  Gateway,
  NodeAccount,
  RequestSequence,
} from "../../src/node/gateway.ts";
import { evaluate } from "../../src/shard/evaluate.ts";
import { digestOfOperation } from "../../src/shard/request-row.ts";

const SHARD = "Solo";
const NOT_ANSWERED: Reply = { ok: false, error: new KvError("INTERNAL", "The operation has no answer") };

/** What was asked of the gateway, for tests that look at how a front door translates. */
export interface AskedOperation {
  readonly operation: KeyOperation;
  readonly options: RequestOptions;
}

/**
 * The node behind a front door, in memory: one shard, which this node leads, over a map.
 *
 * Real semantics (versions, conditions, expiry, atomic batches, ordered pages) without log, disk or network. Tests may make
 * it fail, hold its answers back, or claim that another node leads.
 */
export class MemoryGateway implements Gateway {
  readonly node: string;
  /** What was asked for, while somebody wants to know: null, so that values are not kept for ever. */
  asked: AskedOperation[] | null = null;
  /** Who leads, as far as this node knows. */
  leader: string | null;
  ready = true;
  /** Answers everything with this error while it is set. */
  failure: KvError | null = null;
  /** Rows of a page above this are left for the next one, as where a page reaches its size in bytes. */
  pageRowsMax: number = Number.MAX_SAFE_INTEGER;
  readonly #clock: Clock;
  readonly #records = new Map<Key, Record>();
  readonly #positions: string[] = [];
  readonly #requests = new Map<string, { readonly digest: string; readonly replies: readonly Reply[] }>();
  #version = 0;
  #held: Array<() => void> | null = null;

  constructor(node: string, clock: Clock) {
    this.node = node;
    this.leader = node;
    this.#clock = clock;
  }

  /** From now on answers wait for `release`. */
  hold(): void {
    this.#held ??= [];
  }

  get heldCount(): number {
    return this.#held?.length ?? 0;
  }

  release(): void {
    const held = this.#held ?? [];
    this.#held = null;
    for (const answer of held) answer();
  }

  /** Everything is carried out at once here, so every order is the order of the calls. */
  sequence(): RequestSequence {
    return this;
  }

  execute(operation: KeyOperation, options: RequestOptions, done: ReplyCallback): void {
    this.asked?.push({ operation, options });
    const [reply = NOT_ANSWERED] = this.#once(operation, options, () => [
      this.#reply(this.#apply(operation, ++this.#version)),
    ]);
    this.#answer(() => done(reply));
  }

  executeBatch(
    operations: readonly KeyOperation[],
    options: RequestOptions,
    done: (replies: readonly Reply[]) => void,
  ): void {
    for (const operation of operations) this.asked?.push({ operation, options });
    const replies = this.#once({ kind: "batch", operations }, options, () => {
      const version = ++this.#version;
      return operations.map((operation) => this.#reply(this.#apply(operation, version)));
    });
    this.#answer(() => done(operations.map((_, index) => replies[index] ?? replies[0] ?? NOT_ANSWERED)));
  }

  /** What `run` answers, or why it was not called: it would be the second time, or what was asked for is not to be had. */
  #once(
    operation: KeyOperation | BatchOperation,
    options: RequestOptions,
    run: () => readonly Reply[],
  ): readonly Reply[] {
    if (this.failure !== null) return [this.#failed(this.failure)];
    const { seen, requestId } = options;
    const isHeld = seen === undefined || (seen.epoch === 1 && seen.lineage === 0 && seen.sequence <= this.#version);
    if (seen?.shard === SHARD && !isHeld) return [this.#failed(new KvError("POSITION_NOT_HELD", "It is not held"))];
    if (requestId === undefined) return run();
    const known = this.#requests.get(requestId);
    const digest = digestOfOperation(operation).toString("hex");
    if (known !== undefined && known.digest !== digest) {
      return [this.#failed(new KvError("REQUEST_ID_REUSED", "Another request was made with this Idempotency-Key"))];
    }
    const replies = known?.replies ?? run();
    this.#requests.set(requestId, { digest, replies });
    return replies;
  }

  transact(batch: BatchOperation, _options: RequestOptions, done: ReplyCallback): void {
    const reply = this.failure === null ? this.#reply(this.#apply(batch, ++this.#version)) : this.#failed(this.failure);
    this.#answer(() => done(reply));
  }

  clear(_options: RequestOptions, done: (error: KvError | null) => void): void {
    const { failure } = this;
    if (failure === null) this.#records.clear();
    this.#answer(() => done(failure));
  }

  keepPosition(position: string): string {
    return String(this.#positions.push(position));
  }

  positionOf(cursor: string, done: (position: string | null | KvError) => void): void {
    done(this.failure ?? this.#positions[Number(cursor) - 1] ?? null);
  }

  scan(scan: ClusterScan, done: (page: ClusterPage | KvError) => void): void {
    const page = this.failure ?? this.#page(scan);
    this.#answer(() => done(page));
  }

  leaderOf(_key: Key): { shard: string; leader: string | null } {
    return { shard: SHARD, leader: this.leader };
  }

  cluster(done: (status: ClusterStatus) => void): void {
    const member = { ...this.memberStatus(), reachable: true as const };
    done({
      cluster: "test",
      answeredBy: this.node,
      coordinator: "static",
      coordinatorTrouble: null,
      replication: "async",
      shards: [
        { shard: SHARD, index: 0, leader: this.leader, epoch: 1, inSync: [this.node], members: [member], warnings: [] },
      ],
      imbalance: 1,
    });
  }

  explain(key: Key, done: (explanation: Explanation) => void): void {
    const version = this.#live(key)?.version ?? null;
    done({
      key,
      hash: hashOfKey(key),
      slot: slotOfKey(key),
      shard: SHARD,
      leader: this.leader,
      copies: [{ node: this.node, role: "leader", reachable: true, version, lagEntries: 0, lagMs: 0 }],
    });
  }

  promote(request: PromotionRequest, done: (report: PromotionReport | KvError) => void): void {
    if (request.shard !== SHARD) {
      done(new KvError("INVALID_ARGUMENT", `There is no shard ${request.shard}`));
      return;
    }
    const refusal = request.node === this.node ? null : `${request.node} is no member of ${SHARD}`;
    done({
      shard: request.shard,
      node: request.node,
      done: refusal === null && !request.dryRun,
      ledAlready: refusal === null,
      findings: ["Every member answered"],
      refusal,
      epoch: 1,
      missingEntries: 0,
    });
  }

  readiness(): { ready: boolean; reason: string } {
    return { ready: this.ready, reason: this.ready ? "" : "The replica is far behind" };
  }

  memberStatus(): MemberStatus {
    return {
      node: this.node,
      role: "leader",
      state: "leads",
      ready: this.ready,
      epoch: 1,
      store: "00000000-0000-4000-a000-000000000000",
      lastSequence: this.#version,
      durableSequence: this.#version,
      commitSequence: this.#version,
      appliedSequence: this.#version,
      lagEntries: 0,
      lagMs: 0,
      keyCount: this.#records.size,
      logBytes: 0,
      treeFileBytes: 0,
      treeLiveBytes: 0,
      memtableBytes: 0,
      diskFreeBytes: 0,
      readOnlyReason: null,
      discardedEntriesFile: null,
      readsPerSecond: 0,
      writesPerSecond: 0,
      unknownOutcomes: 0,
      leaseRefusals: 0,
      replicas: [
        {
          node: "127.0.0.9:1",
          inSync: true,
          connected: true,
          durableSequence: this.#version,
          lagEntries: 2,
          lagMs: 50,
        },
      ],
      document: null,
      documentFault: null,
    };
  }

  account(): NodeAccount {
    const term = "0000000000000001";
    return {
      cluster: "test",
      coordinator: "static",
      clusterId: null,
      shard: SHARD,
      store: { node: this.node, store: this.memberStatus().store, generation: 1 },
      seenEpoch: 1,
      seenTerm: term,
      leadership: null,
      role: "leader",
      complete: true,
      recovered: true,
      inConflict: false,
      lastEpoch: 1,
      lastTerm: term,
      lastSequence: this.#version,
    };
  }

  #apply(operation: KeyOperation | BatchOperation, version: number): Result {
    const { result, mutations } = evaluate(operation, {
      get: (key) => ({ record: this.#records.get(key) ?? null, sequence: 0 }),
      page: () => ({ items: [], resume: null, expired: [], sequence: 0 }),
      nowMs: this.#clock.wallMs(),
      nextVersion: version,
    });
    for (const { key, value, expiryMs, contentType } of mutations) {
      if (value === null) this.#records.delete(keyOfBinary(key));
      else this.#records.set(keyOfBinary(key), { value: Buffer.from(value), version, expiryMs, contentType });
    }
    return result;
  }

  #page({ start, end, reverse, keysOnly, rowsMax }: ClusterScan): ClusterPage {
    const keys = [...this.#records.keys()].filter((key) => key >= start && (end === "" || key < end)).sort();
    if (reverse) keys.reverse();
    const live = keys.flatMap((key) => {
      const record = this.#live(key);
      return record === null ? [] : [{ key, record }];
    });
    const page = live.slice(0, Math.min(rowsMax, this.pageRowsMax));
    const items = page.map(({ key, record: { value, version, expiryMs, contentType } }) => ({
      key,
      value: keysOnly ? null : value,
      version,
      expiryMs,
      contentType,
    }));
    return { items, resumeKey: page.length < live.length ? (page.at(-1)?.key ?? null) : null };
  }

  #live(key: Key): Record | null {
    const record = this.#records.get(key);
    if (record === undefined) return null;
    if (!isExpired(record, this.#clock.wallMs())) return record;
    this.#records.delete(key);
    return null;
  }

  #reply(result: Result): Reply {
    const answerer: Answerer = { shard: SHARD, node: this.node, role: "leader", lagMs: 0 };
    return { ok: true, result, answerer, position: { epoch: 1, lineage: 0, sequence: this.#version } };
  }

  #failed(error: KvError): Reply {
    return { ok: false, error };
  }

  #answer(answer: () => void): void {
    if (this.#held === null) answer();
    else this.#held.push(answer);
  }
}
