import type { Key } from "../model/key.ts";
import type { Operation, ReplyCallback, RequestOptions } from "../model/operation.ts";
import type { Epoch, NodeName, Term, Version } from "../model/position.ts";
import type { PeerMessage } from "../wire/peer-network.ts";
import type { MemberAccount, MemberStatus, PromotionReport, PromotionRequest } from "../model/status.ts";
import type { KvError } from "../model/errors.ts";

/** Who leads a shard, as far as one node knows. */
export interface KnownLeader {
  readonly epoch: Epoch;
  readonly term: Term;
  readonly leader: NodeName | null;
}

/**
 * This node's own member of its shard, as the rest of the node uses it. Implemented by `ShardMember` in replication/.
 *
 * Answers may come before `execute` returns. An operation that this member cannot serve because it does not lead is
 * answered NOT_LEADER (definitely not applied) with `details.leader` naming whom it follows, if anybody.
 */
export interface LocalMember {
  readonly shard: string;
  readonly role: "leader" | "replica" | "none";
  knownLeader(): KnownLeader;
  execute(operation: Operation, options: RequestOptions, done: ReplyCallback): void;
  onMessage(from: NodeName, message: PeerMessage): void;
  onDisconnected(node: NodeName): void;
  /** Version of the newest committed record of `key` on this copy; null when it has none. */
  versionOf(key: Key): Version | null;
  status(): MemberStatus;
  account(): MemberAccount;
  promote(request: PromotionRequest, done: (report: PromotionReport | KvError) => void): void;
}
