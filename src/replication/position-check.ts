import type { EpochMark } from "../log/log.ts";
import { mutant } from "../base/mutants.ts";
import type { Position } from "../model/operation.ts";
import type { Sequence } from "../model/position.ts";
import type { LogEnd } from "./messages.ts";

/** What a leader's log says about where a replica's log ends (§2.6, leader step 3). */
export type PositionVerdict =
  /** The replica's log is a prefix of this one: equal (epoch, sequence) implies equal prefixes, by rule G1. */
  | { readonly kind: "matched" }
  /** What follows the replica's end is no longer in the log. */
  | { readonly kind: "trimmed" }
  /** The logs part at or before `endSequence`, the end of `mark` in this log; mark null: nothing is shared. */
  | { readonly kind: "diverged"; readonly mark: EpochMark | null; readonly endSequence: Sequence };

/** A log, as far as positions in it go. */
export interface LogShape {
  readonly startSequence: Sequence;
  readonly lastSequence: Sequence;
  readonly epochs: readonly EpochMark[];
}

/** Compares a replica's log end with the leader's log, by epoch *and* term *and* sequence (rules D1, G6; KIP-101, KIP-279). */
export function checkPosition(end: LogEnd, log: LogShape): PositionVerdict {
  const { lastSequence: sequence, lastEpoch, lastTerm } = end;
  if (mutant("M26")) return sequence <= log.lastSequence ? { kind: "matched" } : diverged(log, log.epochs.length - 1);
  if (sequence <= log.lastSequence) {
    const mark = markOf(log, sequence);
    const isSame =
      mark === null ? lastEpoch === 0 : mark.epoch === lastEpoch && (mark.term === lastTerm || mutant("M100"));
    if (isSame) return sequence < log.startSequence - 1 ? { kind: "trimmed" } : { kind: "matched" };
  }
  let index = log.epochs.length - 1;
  for (; index >= 0; index--) {
    const mark = log.epochs[index];
    if (mark === undefined || mark.epoch > lastEpoch) continue;
    if (mark.epoch === lastEpoch && mark.term !== lastTerm && !mutant("M100")) continue;
    break;
  }
  return diverged(log, index);
}

/**
 * Where a replica cuts its log after DIVERGED: at the smaller of the leader's end of that epoch and its own (§2.11). What
 * it removes is exactly what the leader cannot have. Repeated until the leader says that the positions match.
 */
export function cutPosition(
  log: LogShape,
  answer: { readonly dEpoch: number; readonly dTerm: string; readonly dEndSeq: Sequence },
): Sequence {
  if (mutant("M30")) return Math.min(answer.dEndSeq, log.lastSequence);
  for (let index = log.epochs.length - 1; index >= 0; index--) {
    const mark = log.epochs[index];
    if (mark === undefined || mark.epoch > answer.dEpoch) continue;
    if (mark.epoch === answer.dEpoch && mark.term !== answer.dTerm) continue;
    return Math.min(answer.dEndSeq, endOf(log, index));
  }
  return 0;
}

/** The leadership that `sequence` was written in; null for 0 and for what no epoch covers. */
export function markOf(log: Pick<LogShape, "epochs">, sequence: Sequence): EpochMark | null {
  if (sequence === 0) return null;
  for (let index = log.epochs.length - 1; index >= 0; index--) {
    const mark = log.epochs[index];
    if (mark !== undefined && mark.firstSequence <= sequence) return mark;
  }
  return null;
}

/** Whether `log`, which reaches so far, has the very entry that `position` names (M53): equal sequences may be of other histories. */
export function isHeldBy(log: Pick<LogShape, "epochs">, position: Position): boolean {
  const mark = markOf(log, position.sequence);
  return mark?.epoch === position.epoch && mark.lineage === position.lineage;
}

function diverged(log: LogShape, index: number): PositionVerdict {
  const mark = log.epochs[index] ?? null;
  return { kind: "diverged", mark, endSequence: mark === null ? 0 : endOf(log, index) };
}

/** Last sequence of the epoch at `index`. */
function endOf(log: LogShape, index: number): Sequence {
  const next = log.epochs[index + 1];
  return next === undefined ? log.lastSequence : next.firstSequence - 1;
}
