import type { Leadership } from "../model/leadership.ts";
import type { Epoch, Sequence, StoreRef, Term } from "../model/position.ts";

/** Where a log ends. */
export interface LogEnd {
  readonly lastEpoch: Epoch;
  readonly lastTerm: Term;
  readonly lastSequence: Sequence;
}

/** "Who are you, and whom do you follow?" Anybody may ask anybody, also about a shard of which the asker is no member. */
export interface StateQuery {
  readonly id: number;
}

/** A member's own account of itself; answered from `node.json` even before the log is recovered (rule T3). */
export interface State extends LogEnd {
  readonly id: number;
  readonly store: StoreRef;
  readonly seenEpoch: Epoch;
  readonly seenTerm: Term;
  readonly leadership: Leadership | null;
  readonly role: "leader" | "replica" | "none";
  readonly complete: boolean;
  /** False while the log is being recovered: then the log end is not known. */
  readonly recovered: boolean;
  readonly inConflict: boolean;
}

/** Replica → leader: opens a session. */
export interface Hello extends LogEnd {
  /** Number within the process; a greeting that is only said again keeps it. */
  readonly greeting: number;
  readonly store: StoreRef;
  readonly boot: string;
  readonly epoch: Epoch;
  readonly term: Term;
  readonly complete: boolean;
}

/** Leader → replica: the session that this greeting asked for is open, and ends the one before. */
export interface Welcome {
  readonly sid: string;
  readonly greeting: number;
  readonly leadership: Leadership;
  readonly boot: string;
}

/** Replica → leader: "send me what follows `fromSeq - 1`; I have flushed up to `durable`". */
export interface Pull {
  readonly sid: string;
  readonly epoch: Epoch;
  readonly fromSeq: Sequence;
  readonly lastEpoch: Epoch;
  readonly lastTerm: Term;
  readonly durable: Sequence;
  readonly complete: boolean;
  /** Last beacon seen. */
  readonly echo: number;
  readonly maxBytes: number;
  readonly waitMs: number;
  readonly knownCommit: Sequence;
  /** Bytes of entries that another segment of its log could take, by the free space of its disk (rule S4). */
  readonly room: number;
}

/** Replica → leader: acknowledges a flush or a heartbeat. */
export interface HeartbeatAck {
  readonly sid: string;
  readonly epoch: Epoch;
  readonly durable: Sequence;
  readonly echo: number;
  /** As in `Pull`. */
  readonly room: number;
}

/** Replica → leader: "this process, which said `boot` in its HELLO, is about to stop; do not wait for me". */
export interface Leaving {
  readonly boot: string;
}

/** Leader → replica, with entries as its body (perhaps none), and as a heartbeat without. */
export interface Entries {
  readonly sid: string;
  readonly epoch: Epoch;
  readonly beacon: number;
  /** Sequence before the first entry of the body: that of the pull it answers. */
  readonly after: Sequence;
  readonly commit: Sequence;
  readonly leaseOk: boolean;
  /** The echo of this replica that the leader saw last. */
  readonly lastEcho: number;
  readonly logEnd: Sequence;
  readonly logStart: Sequence;
}

/** Leader → replica: between heartbeats, so that commits, leases and silence show. */
export interface Heartbeat {
  readonly sid: string;
  readonly epoch: Epoch;
  readonly beacon: number;
  readonly commit: Sequence;
  readonly leaseOk: boolean;
  readonly lastEcho: number;
  readonly logEnd: Sequence;
  readonly leadership: Leadership;
}

/** Leader → replica: our logs part at or before here (rule D1, §2.11). */
export interface Diverged {
  readonly sid: string;
  readonly epoch: Epoch;
  readonly dEpoch: Epoch;
  readonly dTerm: Term;
  readonly dEndSeq: Sequence;
}

/** Leader → replica: what you need is trimmed; copy the rows first (§2.12). */
export interface SnapshotNeeded {
  readonly sid: string;
  readonly epoch: Epoch;
  readonly logStart: Sequence;
}

/** Not the leader (any more); `leadership` is the highest one known, so that the asker can go there. */
export interface NotLeader {
  readonly seenEpoch: Epoch;
  readonly leadership: Leadership | null;
}

/** To every member, as a leadership begins: whoever greeted this node too early, or follows its former one, greets it now. */
export interface Leading {
  readonly leadership: Leadership;
}

export interface Refused {
  readonly code: string;
  readonly reason: string;
}

/** Member → any member: "send me entries that follow this end, whatever your role" (rules T1, T3). */
export interface Fetch extends LogEnd {
  readonly id: number;
}

/** Entries as the body; none when the asked one has no more, or when its log does not contain that end. */
export interface Fetched {
  readonly id: number;
  readonly after: Sequence;
  readonly logEnd: Sequence;
  /** Whether the asker's end is in this log. */
  readonly isPrefix: boolean;
}

/** Replica → leader: the next rows of a snapshot (§2.12). */
export interface GetRange {
  readonly sid: string;
  readonly space: number;
  /** Binary string; empty for the first rows of the space. */
  readonly after: string;
  /** Null with the first request of a copy; then what the first answer said. */
  readonly base: Sequence | null;
}

/** Asked for like a space of rows: the epochs up to the base, as a JSON list of `EpochOfBase`. */
export const EPOCHS_SPACE = 3;

/** An epoch of the log behind a snapshot. */
export interface EpochOfBase {
  readonly epoch: Epoch;
  readonly term: Term;
  readonly firstSequence: Sequence;
  readonly versionBase: number;
  readonly lineage: number;
}

/** Leader → replica: rows as its body. */
export interface Range {
  readonly sid: string;
  readonly space: number;
  readonly after: string;
  readonly lastKey: string | null;
  readonly mayHoldThrough: Sequence;
  readonly base: Sequence;
  readonly logClockMs: number;
}

/** Promotion step 1 (rule T1): "stop leading; where does your log end?" */
export interface StepDown {
  readonly id: number;
  readonly epoch: Epoch;
}

export interface SteppedDown extends LogEnd {
  readonly id: number;
}

/** Member → leader, with a coordinator: "hand the leadership over to me" (§2.9). */
export interface HandOver {
  readonly id: number;
}

/** `refusal`: why not, as a sentence without its end; null: the asker leads. */
export interface HandedOver {
  readonly id: number;
  readonly refusal: string | null;
}

/** Promotion step 2: "store this as the shard's leadership". */
export interface StoreLeadership {
  readonly id: number;
  readonly leadership: Leadership;
}

/** `accepted` false: the member knows of a higher epoch. */
export interface StoredLeadership {
  readonly id: number;
  readonly accepted: boolean;
  readonly store: StoreRef;
  readonly complete: boolean;
}

/** Every message between the members of a shard, by its type on the wire. */
export interface MessageHeaders {
  STATE_QUERY: StateQuery;
  STATE: State;
  HELLO: Hello;
  WELCOME: Welcome;
  PULL: Pull;
  ENTRIES: Entries;
  HB: Heartbeat;
  HBACK: HeartbeatAck;
  LEAVING: Leaving;
  DIVERGED: Diverged;
  SNAPSHOT_NEEDED: SnapshotNeeded;
  NOT_LEADER: NotLeader;
  LEADING: Leading;
  REFUSED: Refused;
  FETCH: Fetch;
  FETCHED: Fetched;
  GET_RANGE: GetRange;
  RANGE: Range;
  STEP_DOWN: StepDown;
  STEPPED_DOWN: SteppedDown;
  HAND_OVER: HandOver;
  HANDED_OVER: HandedOver;
  STORE_LEADERSHIP: StoreLeadership;
  STORED_LEADERSHIP: StoredLeadership;
}

export type MessageType = keyof MessageHeaders;

/** A validated message, by type. */
export type IncomingMessage = {
  [Type in MessageType]: { readonly type: Type; readonly header: MessageHeaders[Type]; readonly body: Buffer };
}[MessageType];
