import { epochOf } from "./cluster-state.ts";

/**
 * The length to which a follower's log agrees with its leader's, found as §2.6 step 3 and §2.11 find it: position check,
 * DIVERGED, cut, HELLO again, until it matches. -1 if the logs share no epoch at all, which is refused.
 */
export function agreedLength(follower: readonly number[], leader: readonly number[]): number {
  let length = follower.length;
  while (length > 0 && !isMatched(follower, leader, length)) {
    const next = cutLength(follower.slice(0, length), leader);
    if (next < 0) return -1;
    length = next;
  }
  return length;
}

function isMatched(follower: readonly number[], leader: readonly number[], length: number): boolean {
  return length <= leader.length && lastEpochOf(follower, length) === lastEpochOf(leader, length);
}

/** One round of DIVERGED: where the follower cuts, or -1. */
function cutLength(follower: readonly number[], leader: readonly number[]): number {
  const answer = divergedAnswer(follower, leader);
  return answer.end < 0 ? -1 : Math.min(answer.end, endOfEpoch(follower, answer.epoch));
}

/** The leader's largest epoch that is not above the follower's last, and its end in the leader's log. */
export function divergedAnswer(
  follower: readonly number[],
  leader: readonly number[],
): { readonly epoch: number; readonly end: number } {
  const asked = lastEpochOf(follower, follower.length);
  const end = endOfEpoch(leader, asked);
  return end === 0 ? { epoch: 0, end: -1 } : { epoch: lastEpochOf(leader, end), end };
}

/** How many entries have at most this epoch: epochs never fall within a log. */
function endOfEpoch(log: readonly number[], epoch: number): number {
  let end = log.length;
  while (end > 0 && epochOf(log[end - 1] ?? 0) > epoch) end -= 1;
  return end;
}

function lastEpochOf(log: readonly number[], length: number): number {
  return epochOf(log[length - 1] ?? 0);
}
