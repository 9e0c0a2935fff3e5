import type { ClusterStatus } from "./gateway.ts";

/** What a node sees of the coordinator, as its status shows it; reading a member gives what is known at that moment. */
export interface CoordinatorSight {
  readonly kind: ClusterStatus["coordinator"];
  /** The cluster whose documents this node has gone by; null when there were none so far. */
  readonly clusterId: string | null;
  /** What the file asks for, to be compared with the documents. */
  readonly fileMinInSync: number;
  /** Why the coordinator cannot be used, as a sentence; null when it can, or when there is none. */
  readonly trouble: string | null;
}

/** A cluster whose topology is its file. */
export const STATIC_SIGHT: CoordinatorSight = { kind: "static", clusterId: null, fileMinInSync: 1, trouble: null };
