import type { KvError } from "../model/errors.ts";
import type { Leadership } from "../model/leadership.ts";
import type { Epoch, NodeName } from "../model/position.ts";
import type { ShardDocument } from "../model/shard-document.ts";
import type { PromotionReport, PromotionRequest } from "../model/status.ts";
import type { Accounts } from "./accounts.ts";
import type { DutySwitch } from "./duty-switch.ts";
import type { LeadershipMemory } from "./leadership-memory.ts";
import type { MemberConfig, MemberEnvironment } from "./member-environment.ts";
import type { MemberLink } from "./member-link.ts";
import type { HandedOver, StoreLeadership } from "./messages.ts";

export interface RolesParts {
  readonly env: MemberEnvironment;
  readonly config: MemberConfig;
  readonly link: MemberLink;
  readonly accounts: Accounts;
  readonly memory: LeadershipMemory;
  /** Drawn anew at every start of the process. */
  readonly boot: string;
}

/** Who decides what a member does next: by the operator's word alone (static mode), or by the coordinator's documents. */
export interface Roles {
  readonly duties: DutySwitch;
  /** The shard's document as it was last read; null without a coordinator, and while none was read. */
  readonly document: ShardDocument | null;
  /** Why nothing is done by the document at the coordinator, as a sentence (rule C5); null when it makes sense. */
  readonly documentFault: string | null;
  /** Whether `node`, which the configuration lists, may follow this member. */
  belongs(node: NodeName): boolean;
  /** Decides what to be from what is known now, and begins to be it. The present duty must be over. */
  decide(): void;
  /** Leaves the present duty for good. */
  stop(done: () => void): void;
  /**
   * The process is about to stop: the leadership, or a replica's place in the in-sync set, is given up first, so that nobody has to
   * wait for this member to be missed. `done` soon in any case; it still serves until `stop`.
   */
  retire(done: () => void): void;
  onTick(): void;
  /** Somebody named a leadership. */
  learn(leadership: Leadership): void;
  /** Makes this node the leader by the operator's word. `request.node` must be this node. */
  promote(request: PromotionRequest, done: (report: PromotionReport | KvError) => void): void;
  /** Another member asks for the leadership, by the operator's word (§2.9, Handover). */
  onHandOver(from: NodeName, id: number): void;
  onHandedOver(from: NodeName, message: HandedOver): void;
  /** Somebody has seen a higher epoch than the one this node leads with (§2.6 step 1). */
  onDeposed(epoch: Epoch): void;
  /** This node leads with `epoch`, and `other` knows that number with another term (rules G6, T2). */
  onConflict(other: NodeName, epoch: Epoch): void;
  /** A promotion of another member asks for this node's log end, and for an end to its leadership (rule T1). */
  onStepDown(from: NodeName, id: number): void;
  /** A promotion hands out the new leadership (rule T1). */
  onStoreLeadership(from: NodeName, message: StoreLeadership): void;
}
