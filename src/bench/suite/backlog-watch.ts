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
 * What gathers in the five seconds between two runs of the tree (`ApplyPacer`), and as much again while it is taken in: a tree that lacks no more than
 * this rests between its runs.
 */
const SWING_SECONDS_MAX = 10;

/**
 * Watches a node during a run: whether the tree keeps up with the log, because a run that only fills the log hides what the tree
 * costs. Asking four times a second costs the node below a hundredth of a core.
 */
export function watchBacklog(node: KvNode): Sampler<BacklogSample> {
  return new Sampler(INTERVAL_MS, async (atSeconds) => {
    const metrics = await node.metrics();
    const appliedSequence = metrics.value("kv_shard_applied_sequence");
    return { atSeconds: atSeconds(), unappliedEntries: metrics.unappliedEntries, appliedSequence };
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
 * null when the log was no further ahead of the tree, in seconds of writing, in the last ten seconds than in the first ten, or by no more than a tree
 * lacks that keeps up; else what was wrong. A run that is too short to tell is a fault too if it `mustTell`.
 */
export function backlogFault(samples: readonly BacklogSample[], mustTell: boolean): string | null {
  const end = samples.at(-1)?.atSeconds ?? 0;
  if (end < 2 * PEAK_SECONDS) {
    return mustTell ? `the run of ${end.toFixed(0)} s is too short to see whether the log outgrows the tree` : null;
  }
  const early = peakSeconds(samples.filter(({ atSeconds }) => atSeconds <= PEAK_SECONDS));
  const late = peakSeconds(samples.filter(({ atSeconds }) => atSeconds > end - PEAK_SECONDS));
  if (late <= Math.max(early * TOLERANCE, SWING_SECONDS_MAX)) return null;
  const [first, last] = [early.toFixed(1), late.toFixed(1)];
  return `the log got further ahead of the tree: by up to ${first} s of writes in the first ten seconds, ${last} s in the last ten`;
}

/** How often the tree was seen to have taken something in: at most as often as it was written. */
export function countTreeRuns(samples: readonly BacklogSample[]): number {
  return samples.filter((sample, index) => {
    const before = samples[index - 1];
    return before !== undefined && sample.appliedSequence > before.appliedSequence;
  }).length;
}

/**
 * The most that the tree lacked, in seconds of writing at the rate of these samples: the tree takes in what has gathered in a
 * given time, so that a server which writes faster for a while has more entries waiting without falling behind.
 */
function peakSeconds(samples: readonly BacklogSample[]): number {
  const [first, last] = [samples[0], samples.at(-1)];
  const peak = Math.max(0, ...samples.map(({ unappliedEntries }) => unappliedEntries));
  if (first === undefined || last === undefined || peak === 0) return 0;
  const written = writtenBy(last) - writtenBy(first);
  return (peak * (last.atSeconds - first.atSeconds)) / Math.max(1, written);
}

function writtenBy({ unappliedEntries, appliedSequence }: BacklogSample): number {
  return appliedSequence + unappliedEntries;
}
