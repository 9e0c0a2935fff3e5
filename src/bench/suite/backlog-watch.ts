import type { KvNode } from "./kv-node.ts";
import { Sampler } from "./sampler.ts";

/** How far the tree was behind the log at one moment, counted from the start of the watch. */
export interface BacklogSample {
  readonly atSeconds: number;
  readonly unappliedEntries: number;
  readonly appliedSequence: number;
}

const INTERVAL_MS = 250;
/** The log is as far ahead as the tree lets it get, up and down with each run: compare the peaks of some seconds. */
const PEAK_SECONDS = 5;
const SETTLED_SECONDS = 10;
/** Room for where in its swing a sample happens to fall. */
const TOLERANCE = 1.1;

/**
 * Watches a node during a run: whether the tree keeps up with the log, because a run that only fills the log hides what the tree
 * costs. Asking four times a second costs the node below a hundredth of a core.
 */
export function watchBacklog(node: KvNode): Sampler<BacklogSample> {
  return new Sampler(INTERVAL_MS, async (atSeconds) => {
    const metrics = await node.metrics();
    const appliedSequence = metrics.value("kv_shard_applied_sequence");
    return { atSeconds, unappliedEntries: metrics.unappliedEntries, appliedSequence };
  });
}

/**
 * null when the log was no further ahead of the tree at the end than after ten seconds, else what was wrong. A run that is
 * too short to tell is a fault too if it `mustTell`.
 */
export function backlogFault(samples: readonly BacklogSample[], mustTell: boolean): string | null {
  const end = samples.at(-1)?.atSeconds ?? 0;
  if (end < SETTLED_SECONDS + PEAK_SECONDS) {
    return mustTell ? `the run of ${end.toFixed(0)} s is too short to see whether the log outgrows the tree` : null;
  }
  const early = peak(samples, SETTLED_SECONDS);
  const late = peak(samples, end);
  if (late <= early * TOLERANCE) return null;
  return `the log got further ahead of the tree: ${early} entries after ${SETTLED_SECONDS} s, ${late} at the end`;
}

/** How often the tree was seen to have taken something in: at most as often as it was written. */
export function countTreeRuns(samples: readonly BacklogSample[]): number {
  return samples.filter((sample, index) => {
    const before = samples[index - 1];
    return before !== undefined && sample.appliedSequence > before.appliedSequence;
  }).length;
}

function peak(samples: readonly BacklogSample[], untilSeconds: number): number {
  const within = samples.filter(
    ({ atSeconds }) => atSeconds <= untilSeconds && atSeconds > untilSeconds - PEAK_SECONDS,
  );
  return Math.max(0, ...within.map(({ unappliedEntries }) => unappliedEntries));
}
