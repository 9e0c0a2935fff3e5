import { mutant } from "../base/mutants.ts";
import type { NodeName, Sequence } from "../model/position.ts";
import type { ShardStore } from "../shard/shard-store.ts";
import type { Diverged } from "./messages.ts";
import { cutPosition, type LogShape } from "./position-check.ts";

/** What a replica's own store says about what it must not give up. */
export interface CutInputs {
  readonly log: LogShape;
  readonly answer: Diverged;
  /** Everything up to here is known to be committed, or is in the tree. */
  readonly committedThrough: Sequence;
  /** How many lossy promotions this log has seen, and how many the leader has. */
  readonly lineage: number;
  readonly leaderLineage: number;
  /** Whether a coordinator counts those promotions: in static mode histories that know nothing of each other count alike. */
  readonly isArbitrated: boolean;
}

/** What stands in `store` against `answer`, of a leader as `leader` describes it. */
export function cutInputs(
  store: ShardStore,
  answer: Diverged,
  leader: Pick<CutInputs, "leaderLineage" | "isArbitrated">,
): CutInputs {
  const committedThrough = Math.max(store.commitSequence, store.tree.position().applyingThrough);
  return { log: store.log, answer, committedThrough, lineage: store.log.epochs.at(-1)?.lineage ?? 0, ...leader };
}

export type CutDecision =
  | { readonly kind: "cut"; readonly to: Sequence }
  /** A promotion gave up what is committed here: keep it for the operator, and copy everything from the leader. */
  | { readonly kind: "resync"; readonly to: Sequence }
  /** Committed entries stand against the leader's log, and nothing explains it: stop, keep the files. */
  | { readonly kind: "halt"; readonly to: Sequence };

/** What to do about DIVERGED (§2.11) without ever cutting what is committed by mistake (rule P2). */
export function decideCut(inputs: CutInputs): CutDecision {
  const to = cutPosition(inputs.log, inputs.answer);
  if (to >= inputs.committedThrough || mutant("M33")) return { kind: "cut", to };
  // Of logs that share nothing one may be a stranger's, or a wiped member's that was forced to lead. The leader's lineage alone
  // is gone by where a coordinator counts it, and where the log still has its first entry: all that is given up is then kept.
  const isExplained = to > 0 || (inputs.isArbitrated && inputs.log.startSequence === 1);
  return { kind: isExplained && inputs.leaderLineage > inputs.lineage ? "resync" : "halt", to };
}

/** Why a replica stops, for its operator. */
export function haltReason(leader: NodeName, to: Sequence, floor: Sequence): string {
  return (
    `The log of leader ${leader} ${to === 0 ? "shares nothing with" : `parts at ${to} from`} this one, which holds committed ` +
    `entries up to ${floor}; this copy keeps its files and stops (NO_COMMON_HISTORY)`
  );
}
