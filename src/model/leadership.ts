import type { Epoch, NodeName, StoreRef, Term } from "./position.ts";

/** A member of the in-sync set; the store is null until that node was first met (rule T5). */
export interface InSyncMember {
  readonly node: NodeName;
  readonly store: string | null;
  readonly generation: number;
}

/** Who leads a shard and who must have flushed what counts as committed there; the highest epoch outranks all others. */
export interface Leadership {
  readonly epoch: Epoch;
  readonly term: Term;
  readonly leader: StoreRef;
  readonly lineage: number;
  readonly inSync: readonly InSyncMember[];
  /** Raised at every change of `inSync` within an epoch. */
  readonly setVersion: number;
}

/** Whether a member of a set is this very life of a store, not another that its node made since (D7). */
export function isSameStore(member: InSyncMember, store: StoreRef): boolean {
  return member.node === store.node && member.store === store.store && member.generation === store.generation;
}
