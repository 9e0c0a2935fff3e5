/** What the tests with faults draw their choices from when nobody says otherwise: always the same, so that a red run can be run again. */
const SEED_DEFAULT = 20_261;

/**
 * The seed of a test with faults on real processes: `KV_CHAOS_SEED` if it is a number, one drawn anew if it is "random", else always the
 * same. Processes keep their own time, so that a seed repeats what is done to them, and not how they take it.
 */
export function runSeed(): number {
  const wanted = process.env["KV_CHAOS_SEED"];
  if (wanted === undefined || wanted === "") return SEED_DEFAULT;
  if (wanted === "random") return Math.floor(Math.random() * 2 ** 31);
  const seed = Number(wanted);
  if (!Number.isInteger(seed) || seed < 0) throw new Error(`KV_CHAOS_SEED=${wanted} is no whole number, nor "random"`);
  return seed;
}

/** How to repeat a failed run of a test file, as a command. */
export function replayLine(seed: number, file: string): string {
  return `KV_CHAOS_SEED=${seed} ./test.sh ${file}`;
}
