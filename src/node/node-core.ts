import type { Clock, Timers } from "../base/clock.ts";
import type { Random } from "../base/random.ts";
import { KvError } from "../model/errors.ts";
import type { Key } from "../model/key.ts";
import { LIMITS } from "../model/limits.ts";
import type { KeyOperation, Reply, ReplyCallback, RequestOptions } from "../model/operation.ts";
import type { NodeName } from "../model/position.ts";
import { hashOfKey, slotOfKey } from "../model/slot.ts";
import type { MemberStatus, PromotionReport, PromotionRequest } from "../model/status.ts";
import type { Shard, Topology } from "../model/topology.ts";
import type { PeerHandler, PeerMessage, PeerNetwork, Respond } from "../wire/peer-network.ts";
import { Admission } from "./admission.ts";
import { ClientRequests, type ClientRequestsParts } from "./client-requests.ts";
import { ClusterScanner } from "./cluster-scan.ts";
import { clusterView } from "./cluster-view.ts";
import { type CoordinatorSight, STATIC_SIGHT } from "./coordinator-sight.ts";
import { Forwarder } from "./forwarder.ts";
import type {
  ClusterPage,
  ClusterScan,
  ClusterStatus,
  Explanation,
  Gateway,
  NodeAccount,
  RequestSequence,
} from "./gateway.ts";
import { LeaderDirectory } from "./leader-directory.ts";
import type { LocalMember } from "./local-member.ts";
import { NodeCounters } from "./node-counters.ts";
import type { CopyAnswer, StatusAnswer } from "./peer-answer.ts";
import { PeerInquiry } from "./peer-inquiry.ts";
import { PeerServer } from "./peer-server.ts";
import { failureOfParts } from "./failure-of-parts.ts";
import { parseCursor, ScanPositions } from "./scan-positions.ts";
import { Router } from "./router.ts";

export interface NodeCoreParts {
  readonly node: NodeName;
  readonly topology: Topology;
  readonly replication: "async" | "in-sync";
  /** Absent where there is none: static mode. */
  readonly coordinator?: CoordinatorSight;
  readonly member: LocalMember;
  readonly network: PeerNetwork;
  readonly clock: Clock;
  readonly timers: Timers;
  readonly random: Random;
}

/** One shard's share of the places for requests that wait for other nodes: a dead shard must not take them all. */
const ADMISSION_PER_SHARD_MAX = 4000;

/**
 * One node without its sockets and files: routing, forwarding, the cluster's status, and whatever other nodes ask.
 *
 * Owns the parts below, wired by hand; the member, the network and time are handed in, so that a simulation runs the same
 * code. It fails nothing by itself: every request is answered exactly once, honestly (§2.15).
 */
export class NodeCore implements Gateway, PeerHandler {
  readonly node: NodeName;
  readonly counters: NodeCounters = new NodeCounters();
  readonly directory: LeaderDirectory;
  readonly #parts: NodeCoreParts;
  readonly #clientParts: ClientRequestsParts;
  readonly #requests: ClientRequests;
  readonly #inquiry: PeerInquiry;
  readonly #server: PeerServer;
  readonly #positions: ScanPositions;
  #isStopping = false;

  constructor(parts: NodeCoreParts) {
    const { node, topology, clock } = parts;
    const { counters } = this;
    this.node = node;
    this.#parts = parts;
    this.directory = new LeaderDirectory({ ...parts, counters });
    const forwarder = new Forwarder({ network: parts.network, directory: this.directory, counters });
    const admission = new Admission(LIMITS.peerRequestsInFlightMax, ADMISSION_PER_SHARD_MAX);
    const router = new Router({ ...parts, directory: this.directory, forwarder, admission, counters });
    this.#clientParts = { topology, router, clock, isStopping: () => this.#isStopping };
    this.#requests = new ClientRequests(this.#clientParts, false);
    this.#inquiry = new PeerInquiry(parts);
    this.#positions = new ScanPositions(nodeIndexOf(topology, node), parts.random);
    const positions = this.#positions;
    this.#server = new PeerServer({ ...parts, directory: this.directory, forwarder, counters, positions });
  }

  /** Begins to look for the leaders of all shards. */
  start(): void {
    this.directory.start();
  }

  /** Refuses whatever comes from now on; `done` when what other nodes had asked has been answered. */
  stop(done: () => void): void {
    this.#isStopping = true;
    this.directory.stop();
    this.#server.stop(done);
  }

  sequence(): RequestSequence {
    return new ClientRequests(this.#clientParts, true);
  }

  execute(operation: KeyOperation, options: RequestOptions, done: ReplyCallback): void {
    this.#requests.execute(operation, options, done);
  }

  executeBatch(
    operations: readonly KeyOperation[],
    options: RequestOptions,
    done: (replies: readonly Reply[]) => void,
  ): void {
    this.#requests.executeBatch(operations, options, done);
  }

  scan(scan: ClusterScan, done: (page: ClusterPage | KvError) => void): void {
    const { topology, clock } = this.#parts;
    const deadlineMs = clock.nowMs() + LIMITS.forwardDeadlineMs;
    const { options } = scan;
    const scanner = new ClusterScanner(scan, topology.shards, {
      fetch: (shard, operation, onPage) =>
        this.#requests.onShard(shard, operation, { options, done: onPage, deadlineMs }),
      done,
    });
    scanner.run();
  }

  clear(options: RequestOptions, done: (error: KvError | null) => void): void {
    const { shards } = this.#parts.topology;
    const replies: Reply[] = [];
    for (const shard of shards) {
      const note = (reply: Reply): void => {
        replies.push(reply);
        if (replies.length === shards.length) done(failureOfParts(replies));
      };
      this.#requests.onShard(shard, { kind: "clear" }, { options, done: note });
    }
  }

  keepPosition(position: string): string {
    return this.#positions.keep(position);
  }

  positionOf(cursor: string, done: (position: string | null | KvError) => void): void {
    const { topology, node } = this.#parts;
    const name = parseCursor(cursor);
    const keeper = name === null ? undefined : topology.nodes[name.nodeIndex]?.node;
    if (name === null || keeper === undefined) done(null);
    else if (keeper === node) done(this.#positions.find(name.number));
    else this.#inquiry.positionOf(keeper, name.number, done);
  }

  leaderOf(key: Key): { readonly shard: string; readonly leader: NodeName | null } {
    const shard = this.#parts.topology.shardOfKey(key);
    return { shard: shard.name, leader: this.directory.known(shard.name).leader };
  }

  cluster(done: (status: ClusterStatus) => void): void {
    const { topology, replication, node } = this.#parts;
    const nodes = topology.nodes.map((one) => one.node);
    const ask = (name: NodeName, then: (answer: StatusAnswer | null) => void): void =>
      this.#inquiry.statusOf(name, then);
    const { coordinator: sight = STATIC_SIGHT } = this.#parts;
    gather(nodes, ask, (answers) => done(clusterView({ topology, answeredBy: node, sight, replication, answers })));
  }

  explain(key: Key, done: (explanation: Explanation) => void): void {
    const shard = this.#parts.topology.shardOfKey(key);
    const nodes = shard.members.map((one) => one.node);
    const ask = (name: NodeName, then: (answer: CopyAnswer | null) => void): void =>
      this.#inquiry.copyOf(name, key, then);
    gather(nodes, ask, (answers) => done(this.#explanation(key, shard, answers)));
  }

  promote(request: PromotionRequest, done: (report: PromotionReport | KvError) => void): void {
    const { topology } = this.#parts;
    const shard = topology.shardByName(request.shard);
    if (shard === undefined) {
      const names = topology.shards.map((one) => one.name).join(", ");
      done(new KvError("INVALID_ARGUMENT", `There is no shard "${request.shard}"; there are ${names}`));
      return;
    }
    const members = shard.members.map((one) => one.node);
    if (!members.includes(request.node)) {
      const message = `"${request.node}" is no member of shard ${shard.name}; its members are ${members.join(", ")}`;
      done(new KvError("INVALID_ARGUMENT", message));
      return;
    }
    this.#inquiry.promote(request, done);
  }

  readiness(): { readonly ready: boolean; readonly reason: string } {
    if (this.#isStopping) return { ready: false, reason: "The node is shutting down" };
    const { ready, state } = this.memberStatus();
    return { ready, reason: state };
  }

  memberStatus(): MemberStatus {
    return this.#parts.member.status();
  }

  account(): NodeAccount {
    const { topology, member, coordinator = STATIC_SIGHT } = this.#parts;
    const { kind, clusterId } = coordinator;
    return { cluster: topology.cluster, coordinator: kind, clusterId, ...member.account() };
  }

  onMessage(from: NodeName, message: PeerMessage): void {
    const { member } = this.#parts;
    if (message.type === "STATE") this.directory.heardState(message.shard, from, message.header);
    if (message.shard === member.shard) member.onMessage(from, message);
    else if (message.type !== "STATE") this.counters.messagesIgnored++;
  }

  onRequest(from: NodeName, body: Buffer, respond: Respond): void {
    this.#server.serve(from, body, respond);
  }

  onDisconnected(node: NodeName): void {
    this.#parts.member.onDisconnected(node);
  }

  #explanation(key: Key, shard: Shard, answers: ReadonlyMap<NodeName, CopyAnswer | null>): Explanation {
    const copies = shard.members.map(({ node }) => {
      const answer = answers.get(node) ?? null;
      return { node, reachable: answer !== null, ...(answer ?? NO_COPY) };
    });
    const { leader } = this.directory.known(shard.name);
    return { key, hash: hashOfKey(key), slot: slotOfKey(key), shard: shard.name, leader, copies };
  }
}

/** What is known of a copy that could not be asked. */
const NO_COPY: CopyAnswer = { role: "none", version: null, lagEntries: 0, lagMs: 0 };

function nodeIndexOf(topology: Topology, node: NodeName): number {
  return topology.nodes.findIndex((one) => one.node === node);
}

/** Asks all of `nodes` at once; `done` gets every answer when the last one is there. */
function gather<Answer>(
  nodes: readonly NodeName[],
  ask: (node: NodeName, then: (answer: Answer | null) => void) => void,
  done: (answers: ReadonlyMap<NodeName, Answer | null>) => void,
): void {
  const answers = new Map<NodeName, Answer | null>();
  for (const node of nodes) {
    ask(node, (answer) => {
      answers.set(node, answer);
      if (answers.size === nodes.length) done(answers);
    });
  }
}
