import { mutant } from "../base/mutants.ts";
import type { Sequence } from "../model/position.ts";
import type { ShardStore } from "../shard/shard-store.ts";
import type { MemberConfig } from "./member-environment.ts";

/** What the decision to trim looks at; sizes in bytes. */
export interface RetentionInputs {
  readonly fullSegments: readonly { readonly lastSequence: Sequence; readonly sizeBytes: number }[];
  readonly logBytes: number;
  readonly appliedSequence: Sequence;
  /** First sequence that a member of the in-sync set, or any replica, may still ask for; 0 when that is not known. */
  readonly neededByInSync: Sequence;
  readonly neededByAnyone: Sequence;
  readonly retainBytes: number;
  readonly retainBytesMax: number;
}

/**
 * The last sequence that may be trimmed from the log, 0 for none (storage.md, Retention).
 *
 * Kept are: what the tree does not have; `retainBytes`; what any replica needs, up to `retainBytesMax`; what an in-sync
 * member needs, without bound (such a member is removed from the set before it is cut off).
 */
export function trimmableThrough(inputs: RetentionInputs): Sequence {
  let through = 0;
  let bytes = inputs.logBytes;
  for (const segment of inputs.fullSegments) {
    bytes -= segment.sizeBytes;
    if (segment.lastSequence > inputs.appliedSequence || bytes < inputs.retainBytes) break;
    const isOverMax = bytes + segment.sizeBytes > inputs.retainBytesMax;
    const needed = isOverMax ? inputs.neededByInSync : Math.min(inputs.neededByAnyone, inputs.neededByInSync);
    if (segment.lastSequence >= needed && !mutant("M54")) break;
    through = segment.lastSequence;
  }
  return through;
}

/** Trims the store's log as far as may be. `needed` is null where no replica depends on this log. */
export function trimLog(
  store: ShardStore,
  config: MemberConfig,
  limits: {
    readonly needed: { readonly byInSync: Sequence; readonly byAnyone: Sequence } | null;
    readonly freeBytes: number;
  },
): void {
  const { needed } = limits;
  const through = trimmableThrough({
    fullSegments: store.log.fullSegments,
    logBytes: store.log.sizeBytes,
    appliedSequence: store.appliedSequence,
    neededByInSync: config.replication === "in-sync" && needed !== null ? needed.byInSync : Number.MAX_SAFE_INTEGER,
    neededByAnyone: needed?.byAnyone ?? Number.MAX_SAFE_INTEGER,
    retainBytes: config.logRetainBytes,
    retainBytesMax: Math.min(config.logRetainBytesMax, limits.freeBytes / 4),
  });
  if (through >= store.log.startSequence) store.log.trimThrough(through);
}
