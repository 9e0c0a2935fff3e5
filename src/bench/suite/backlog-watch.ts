import type { KvNode } from "./kv-node.ts";
import { Sampler } from "./sampler.ts";

/** How far the tree was behind the log at one moment, counted from the start of the watch. */
export interface BacklogSample {
  readonly atSeconds: number;
  readonly unappliedEntries: number;
  readonly appliedSequence: number;
}

const INTERVAL_MS = 250;
/** The log runs ahead and the tree catches up, in swings of some seconds: compare the peaks of the first and last ten. */
const PEAK_SECONDS = 10;
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

/** The samples of the last `seconds`, counted from where those begin: without what came before the run that counts. */
export function samplesOfLast(seconds: number, samples: readonly BacklogSample[]): BacklogSample[] {
  const start = Math.max(0, (samples.at(-1)?.atSeconds ?? 0) - seconds);
  return samples
    .filter(({ atSeconds }) => atSeconds >= start)
    .map((sample) => ({ ...sample, atSeconds: sample.atSeconds - start }));
}

/**
 * null when the log was no further ahead of the tree in the last ten seconds than in the first ten, else what was wrong. A run
 * that is too short to tell is a fault too if it `mustTell`.
 */
export function backlogFault(samples: readonly BacklogSample[], mustTell: boolean): string | null {
  const end = samples.at(-1)?.atSeconds ?? 0;
  if (end < 2 * PEAK_SECONDS) {
    return mustTell ? `the run of ${end.toFixed(0)} s is too short to see whether the log outgrows the tree` : null;
  }
  const early = peak(samples.filter(({ atSeconds }) => atSeconds <= PEAK_SECONDS));
  const late = peak(samples.filter(({ atSeconds }) => atSeconds > end - PEAK_SECONDS));
  if (late <= early * TOLERANCE) return null;
  return `the log got further ahead of the tree: up to ${early} entries in the first ten seconds, ${late} in the last ten`;
}

/** How often the tree was seen to have taken something in: at most as often as it was written. */
export function countTreeRuns(samples: readonly BacklogSample[]): number {
  return samples.filter((sample, index) => {
    const before = samples[index - 1];
    return before !== undefined && sample.appliedSequence > before.appliedSequence;
  }).length;
}

function peak(samples: readonly BacklogSample[]): number {
  return Math.max(0, ...samples.map(({ unappliedEntries }) => unappliedEntries));
}
