import type { Clock, Timer, Timers } from "../base/clock.ts";
import type { Answerer, Reply } from "../model/operation.ts";
import type { Epoch, NodeName } from "../model/position.ts";
import type { Shard, Topology } from "../model/topology.ts";
import type { PeerNetwork } from "../wire/peer-network.ts";
import type { KnownLeader, LocalMember } from "./local-member.ts";
import { leaderHint, readLeaderHint, readStateReport } from "./leader-hint.ts";
import type { NodeCounters } from "./node-counters.ts";

export interface LeaderDirectoryParts {
  readonly node: NodeName;
  readonly topology: Topology;
  /** This node's own member, whose knowledge counts for its shard. */
  readonly member: LocalMember;
  readonly network: PeerNetwork;
  readonly clock: Clock;
  readonly timers: Timers;
  readonly counters: NodeCounters;
}

/** How soon a poll that may have met connections still being made is repeated. */
const FIRST_RETRY_MS = 200;
/** How often all members are asked while the known leader does not answer (rule T4). */
const SEARCH_MS = 2000;
/** How often they are asked otherwise: a deposed leader that cannot be told so still answers those who ask it alone. */
const CONFIRM_MS = 10_000;
/** Shortest time between two polls of one shard, however many requests complain. */
const POLL_GAP_MS = 100;
/** Keeps the numbers of these queries apart from those of this node's own member. */
const QUERY_ID_BASE = 1_000_000_000;
const NO_BODY = Buffer.alloc(0);

interface ShardEntry {
  readonly shard: Shard;
  known: KnownLeader;
  /** Whether the known leader has answered as such since it was last doubted. */
  isConfirmed: boolean;
  polledAtMs: number;
  pollsInSearch: number;
  timer: Timer | null;
}

/**
 * Who leads which shard, as far as this node has heard (rule T4).
 *
 * Owns one entry a shard: the highest (epoch, leader) heard, at first the file's first member in epoch 0. It learns from
 * STATE messages, from refusals that name a leader, and from leaders' answers; while the known leader is in doubt it
 * asks all members, every two seconds. It never goes back to a lower epoch. Nothing here is needed for safety: a wrong
 * entry costs a detour.
 */
export class LeaderDirectory {
  readonly #parts: LeaderDirectoryParts;
  readonly #entries: ReadonlyMap<string, ShardEntry>;
  #queryId = QUERY_ID_BASE;
  #isStopped = false;

  constructor(parts: LeaderDirectoryParts) {
    this.#parts = parts;
    this.#entries = new Map(parts.topology.shards.map((shard) => [shard.name, firstEntry(shard)]));
  }

  /** Asks all members of all shards, until each shard's leader has answered. */
  start(): void {
    for (const entry of this.#entries.values()) this.#poll(entry);
  }

  stop(): void {
    this.#isStopped = true;
    for (const entry of this.#entries.values()) entry.timer?.cancel();
  }

  /** The highest leadership heard of; epoch 0 is the file's word. A shard that the file does not have has no leader. */
  known(shard: string): KnownLeader {
    const { member } = this.#parts;
    if (member.shard === shard) this.learn(shard, member.knownLeader());
    return this.#entries.get(shard)?.known ?? { epoch: 0, term: "", leader: null };
  }

  /** Whether the known leader has answered as such since it was last doubted. */
  isConfirmed(shard: string): boolean {
    return this.#entries.get(shard)?.isConfirmed ?? false;
  }

  /**
   * Takes note of a leadership. A higher epoch replaces what is known; an equal one only a leader that is in doubt, since
   * terms have no order (rule T2).
   */
  learn(shard: string, heard: KnownLeader): void {
    const entry = this.#entries.get(shard);
    if (entry === undefined || heard.leader === null || !isMember(entry.shard, heard.leader)) return;
    const { known } = entry;
    const outranks = heard.epoch > known.epoch;
    const replaces = heard.epoch === known.epoch && !entry.isConfirmed && heard.leader !== known.leader;
    if (!outranks && !replaces) return;
    if (outranks && heard.leader === known.leader) {
      entry.known = heard;
      return;
    }
    entry.known = heard;
    entry.isConfirmed = false;
    entry.pollsInSearch = 0;
    this.#schedule(entry);
  }

  /** A successful answer: whoever answered as leader leads. */
  heardAnswer(answerer: Answerer, epoch: Epoch): void {
    if (answerer.role !== "leader") return;
    const entry = this.#entries.get(answerer.shard);
    if (entry === undefined || (entry.isConfirmed && entry.known.leader === answerer.node)) return;
    this.#heardLeader(entry, answerer.node, { epoch, term: "", leader: answerer.node });
  }

  /** A refusal, perhaps with `details` that name whom `from` follows. */
  heardRefusal(shard: string, from: NodeName, details: Readonly<Record<string, unknown>>): void {
    const hint = readLeaderHint(details);
    if (hint !== null) this.learn(shard, hint);
    this.doubt(shard, from);
  }

  /** This node's own member answered. When it refused because it does not lead, it knows whom it follows. */
  heardHere(reply: Reply): void {
    const { node, member } = this.#parts;
    if (reply.ok || reply.error.code !== "NOT_LEADER") return;
    this.heardRefusal(member.shard, node, leaderHint(member.knownLeader()));
  }

  /** A STATE message about any shard. Throws ProtocolError when its header makes no sense. */
  heardState(shard: string, from: NodeName, header: unknown): void {
    const { isLeader, known } = readStateReport(header);
    const entry = this.#entries.get(shard);
    if (entry === undefined || known === null || !isMember(entry.shard, from)) return;
    if (isLeader && known.leader === from) this.#heardLeader(entry, from, known);
    else this.learn(shard, known);
  }

  /** `node` did not answer as the shard's leader. Only a doubt about the leader known now starts a search. */
  doubt(shard: string, node: NodeName): void {
    const entry = this.#entries.get(shard);
    if (entry === undefined || entry.known.leader !== node) return;
    if (entry.isConfirmed) {
      entry.isConfirmed = false;
      entry.pollsInSearch = 0;
    }
    if (entry.pollsInSearch > 0 || this.#isStopped) return;
    const waitMs = entry.polledAtMs + POLL_GAP_MS - this.#parts.clock.nowMs();
    if (waitMs <= 0) this.#poll(entry);
    else this.#scheduleIn(entry, waitMs);
  }

  #heardLeader(entry: ShardEntry, node: NodeName, heard: KnownLeader): void {
    this.learn(entry.shard.name, heard);
    if (entry.known.leader !== node) return;
    entry.isConfirmed = true;
    entry.pollsInSearch = 0;
    this.#schedule(entry);
  }

  #poll(entry: ShardEntry): void {
    if (this.#isStopped) return;
    const { node, member, network, clock, counters } = this.#parts;
    if (member.shard === entry.shard.name && member.role === "leader") {
      this.#heardLeader(entry, node, member.knownLeader());
      if (entry.isConfirmed) return;
    }
    entry.polledAtMs = clock.nowMs();
    entry.pollsInSearch++;
    counters.leaderPolls++;
    const header = { id: ++this.#queryId };
    for (const { node: other } of entry.shard.members) {
      if (other === node) continue;
      network.send(other, { type: "STATE_QUERY", shard: entry.shard.name, header, body: NO_BODY });
    }
    this.#schedule(entry);
  }

  #schedule(entry: ShardEntry): void {
    if (entry.isConfirmed) this.#scheduleIn(entry, CONFIRM_MS);
    else this.#scheduleIn(entry, entry.pollsInSearch <= 1 ? FIRST_RETRY_MS : SEARCH_MS);
  }

  #scheduleIn(entry: ShardEntry, delayMs: number): void {
    entry.timer?.cancel();
    entry.timer = this.#isStopped ? null : this.#parts.timers.after(delayMs, () => this.#poll(entry));
  }
}

function firstEntry(shard: Shard): ShardEntry {
  return {
    shard,
    known: { epoch: 0, term: "", leader: shard.members[0]?.node ?? null },
    isConfirmed: false,
    polledAtMs: Number.NEGATIVE_INFINITY,
    pollsInSearch: 0,
    timer: null,
  };
}

function isMember(shard: Shard, node: NodeName): boolean {
  return shard.members.some((member) => member.node === node);
}
