import type { EpochStart } from "../model/entry.ts";
import type { InSyncMember, Leadership } from "../model/leadership.ts";
import { NO_EPOCH, PROMOTION_VERSION_STEP } from "../model/position.ts";
import type { Epoch, Sequence, StoreRef } from "../model/position.ts";
import type { ShardStore } from "../shard/shard-store.ts";
import { PROMOTION_EPOCH_STEP } from "./startup-decision.ts";

/** How a leadership begins. */
export interface Beginning {
  readonly leadership: Leadership;
  readonly isPromotion: boolean;
  /** Whether a coordinator gave out its epoch. */
  readonly isCoordinated: boolean;
}

/** Appends the first entry of a leadership (rule G5); the caller has asked for room. Returns its sequence. */
export function appendEpochStart(store: ShardStore, beginning: Beginning): Sequence {
  const { leadership, isPromotion } = beginning;
  const last = store.lastEpoch;
  const start: EpochStart = {
    term: leadership.term,
    previous: last.epoch === 0 ? NO_EPOCH : last,
    versionBase: isPromotion ? raisedVersionBase(store, beginning) : store.versionBase,
    lineage: leadership.lineage,
    inSync: leadership.inSync.flatMap(boundStore),
  };
  return store.append(leadership, { kind: "epochStart", start });
}

/**
 * Larger than that of every leadership which this one outranks, also of those whose beginning never reached this log (rule G3).
 * A coordinator gives out epochs one by one, and at most each of those since this log's last was a promotion.
 */
function raisedVersionBase(store: ShardStore, { leadership, isCoordinated }: Beginning): number {
  if (!isCoordinated) return versionBaseOf(leadership.epoch, store.versionBase);
  return store.versionBase + PROMOTION_VERSION_STEP * Math.max(1, leadership.epoch - store.lastEpoch.epoch);
}

/** In static mode promotions are a step of epochs apart, so the steps below `epoch` count them, and perhaps more. */
function versionBaseOf(epoch: Epoch, present: number): number {
  return Math.max(present + PROMOTION_VERSION_STEP, Math.floor(epoch / PROMOTION_EPOCH_STEP) * PROMOTION_VERSION_STEP);
}

function boundStore(member: InSyncMember): StoreRef[] {
  return member.store === null ? [] : [{ node: member.node, store: member.store, generation: member.generation }];
}
