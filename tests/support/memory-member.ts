import type { Timers } from "../../src/base/clock.ts";
import { KvError } from "../../src/model/errors.ts";
import type { Key } from "../../src/model/key.ts";
import type {
  Operation,
  Reply,
  ReplyCallback,
  RequestOptions,
  Result,
  ScanItem,
  ScanOperation,
} from "../../src/model/operation.ts";
import type { Epoch, NodeName, Sequence, Version } from "../../src/model/position.ts";
import { isBounded } from "../../src/model/read-bounds.ts";
import type { Record } from "../../src/model/record.ts";
import type { MemberAccount, MemberStatus, PromotionReport, PromotionRequest } from "../../src/model/status.ts";
import type { KnownLeader, LocalMember } from "../../src/node/local-member.ts";
import { evaluate } from "../../src/shard/evaluate.ts";
import type { PeerMessage, PeerNetwork } from "../../src/wire/peer-network.ts";

/** The rows of one shard and who leads it; shared by its members, as if replication took no time. */
export class MemoryShard {
  readonly name: string;
  readonly rows: Map<Key, Record> = new Map();
  sequence: Sequence = 0;
  epoch: Epoch = 0;
  leader: NodeName | null = null;
  /** Every operation executed, in order. */
  readonly executed: Operation[] = [];

  constructor(name: string) {
    this.name = name;
  }

  lead(node: NodeName | null): void {
    this.leader = node;
    this.epoch++;
  }

  execute(operation: Exclude<Operation, { kind: "clear" }>): Result {
    const { result, mutations } = evaluate(operation, {
      get: (key) => ({ record: this.rows.get(key) ?? null, sequence: 0 }),
      page: (scan) => ({ ...this.#page(scan), expired: [], sequence: 0 }),
      nowMs: 0,
      nextVersion: this.sequence + 1,
    });
    this.executed.push(operation);
    if (mutations.length > 0) this.sequence++;
    for (const { key, value, expiryMs, contentType } of mutations) {
      if (value === null) this.rows.delete(key as Key);
      else this.rows.set(key as Key, { value, version: this.sequence, expiryMs, contentType });
    }
    return result;
  }

  #page(scan: ScanOperation): { items: ScanItem[]; resume: Key | null } {
    const keys = [...this.rows.keys()].filter((key) => key >= scan.start && (scan.end === "" || key < scan.end)).sort();
    if (scan.reverse) keys.reverse();
    const items: ScanItem[] = [];
    let bytes = 0;
    for (const key of keys) {
      const record = this.rows.get(key);
      if (record === undefined) continue;
      const rowBytes = key.length + (scan.keysOnly ? 0 : record.value.length);
      const isFull = items.length >= scan.rowsMax || (items.length > 0 && bytes + rowBytes > scan.bytesMax);
      if (isFull) return { items, resume: items.at(-1)?.key ?? null };
      bytes += rowBytes;
      items.push({ ...record, key, value: scan.keysOnly ? null : record.value });
    }
    return { items, resume: null };
  }
}

export interface MemoryMemberParts {
  readonly node: NodeName;
  readonly shard: MemoryShard;
  readonly network: PeerNetwork;
  readonly timers: Timers;
}

/** A shard member over a Map: it serves what its role allows, at once or after `answerMs`, and tells of itself. */
export class MemoryMember implements LocalMember {
  readonly #parts: MemoryMemberParts;
  /** What this member believes, when it differs from the truth. */
  belief: KnownLeader | null = null;
  isReady = true;
  /** Whether a replica can answer reads that are bounded by what was seen, or by their age. */
  keepsBounds = true;
  answerMs = 0;
  readonly promotions: PromotionRequest[] = [];

  constructor(parts: MemoryMemberParts) {
    this.#parts = parts;
  }

  get shard(): string {
    return this.#parts.shard.name;
  }

  get role(): "leader" | "replica" | "none" {
    if (!this.isReady) return "none";
    return this.knownLeader().leader === this.#parts.node ? "leader" : "replica";
  }

  knownLeader(): KnownLeader {
    const { epoch, leader } = this.#parts.shard;
    return this.belief ?? { epoch, term: termOf(epoch), leader };
  }

  execute(operation: Operation, options: RequestOptions, done: ReplyCallback): void {
    const reply = this.#reply(operation, options);
    if (this.answerMs === 0) done(reply);
    else this.#parts.timers.after(this.answerMs, () => done(reply));
  }

  onMessage(from: NodeName, message: PeerMessage): void {
    if (message.type !== "STATE_QUERY") return;
    const { node, shard, network } = this.#parts;
    const { epoch, term, leader } = this.knownLeader();
    const storeOf = (name: NodeName): object => ({ node: name, store: `store-${name}`, generation: 1 });
    const leadership =
      leader === null ? null : { epoch, term, leader: storeOf(leader), lineage: 0, inSync: [], setVersion: 0 };
    const header = {
      id: (message.header as { id: number }).id,
      store: storeOf(node),
      seenEpoch: epoch,
      seenTerm: term,
      leadership,
      role: this.role,
      complete: true,
      recovered: true,
      inConflict: false,
      lastEpoch: epoch,
      lastTerm: term,
      lastSequence: shard.sequence,
    };
    network.send(from, { type: "STATE", shard: shard.name, header, body: Buffer.alloc(0) });
  }

  onDisconnected(): void {}

  versionOf(key: Key): Version | null {
    return this.#parts.shard.rows.get(key)?.version ?? null;
  }

  status(): MemberStatus {
    const { node, shard } = this.#parts;
    const { sequence } = shard;
    return {
      node,
      role: this.role,
      state: this.isReady ? `Follows ${shard.leader}` : "Starts",
      ready: this.isReady,
      epoch: this.knownLeader().epoch,
      store: `store-${node}`,
      lastSequence: sequence,
      durableSequence: sequence,
      commitSequence: sequence,
      appliedSequence: sequence,
      lagEntries: 0,
      lagMs: 0,
      keyCount: shard.rows.size,
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
      replicas: [],
      document: null,
      documentFault: null,
    };
  }

  account(): MemberAccount {
    const { node, shard } = this.#parts;
    const { epoch, term } = this.knownLeader();
    return {
      shard: shard.name,
      store: { node, store: `store-${node}`, generation: 1 },
      seenEpoch: epoch,
      seenTerm: term,
      leadership: null,
      role: this.role,
      complete: true,
      recovered: true,
      inConflict: false,
      lastEpoch: epoch,
      lastTerm: term,
      lastSequence: shard.sequence,
    };
  }

  promote(request: PromotionRequest, done: (report: PromotionReport | KvError) => void): void {
    this.promotions.push(request);
    const { shard, node } = this.#parts;
    if (!request.dryRun) shard.lead(node);
    const { epoch } = shard;
    done({
      shard: shard.name,
      node,
      done: !request.dryRun,
      ledAlready: false,
      findings: [],
      refusal: null,
      epoch,
      missingEntries: 0,
    });
  }

  #reply(operation: Operation, options: RequestOptions): Reply {
    const { node, shard } = this.#parts;
    if (!this.isReady) return { ok: false, error: new KvError("NOT_READY", `Node ${node} starts`) };
    const { role } = this;
    if (operation.kind === "clear") return { ok: false, error: new KvError("NOT_SUPPORTED", "No clear here") };
    const mayServe = options.consistency === "eventual" && (this.keepsBounds || !isBounded(options));
    if (role !== "leader" && !mayServe) {
      const { leader } = this.knownLeader();
      return { ok: false, error: new KvError("NOT_LEADER", `Node ${node} does not lead`, { details: { leader } }) };
    }
    const result = shard.execute(operation);
    const answerer = {
      shard: shard.name,
      node,
      role: role === "leader" ? ("leader" as const) : ("replica" as const),
      lagMs: 0,
    };
    return { ok: true, result, answerer, position: { epoch: shard.epoch, lineage: 0, sequence: shard.sequence } };
  }
}

/** Terms as the protocol wants them: 16 hex digits. */
function termOf(epoch: Epoch): string {
  return epoch.toString(16).padStart(16, "0");
}
