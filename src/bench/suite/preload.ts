import { HOST } from "./cores.ts";
import { RespConnection } from "./resp-connection.ts";

/** Keys in one MSET, and how many of them are under way. */
const KEYS_PER_COMMAND = 500;
const IN_FLIGHT_MAX = 8;

/** The keys that `redis-benchmark` draws from: `key:` and 12 digits. */
export function benchKey(index: number): string {
  return `key:${String(index).padStart(12, "0")}`;
}

/**
 * Writes the keys 0 to `keyCount - 1`, in an order that is not theirs, so that the tree does not come out better packed than
 * in use. Throws when one is not stored.
 */
export async function preload(
  port: number,
  { keyCount, valueBytes }: { readonly keyCount: number; readonly valueBytes: number },
): Promise<void> {
  const connection = await RespConnection.open(HOST, port);
  const value = "x".repeat(valueBytes);
  const stride = strideFor(keyCount);
  let next = 0;
  const work = async (): Promise<void> => {
    while (next < keyCount) {
      const first = next;
      next = Math.min(keyCount, next + KEYS_PER_COMMAND);
      const words = ["MSET"];
      // Exact: below 2⁵³ for every number of keys that fits on a disk.
      for (let index = first; index < next; index++) words.push(benchKey((index * stride) % keyCount), value);
      await askPatiently(connection, words);
    }
  };
  await Promise.all(Array.from({ length: IN_FLIGHT_MAX }, work));
  const stored = Number(await connection.ask("DBSIZE"));
  connection.close();
  if (stored !== keyCount) throw new Error(`${stored} keys are stored instead of ${keyCount}`);
}

/** A refusal that may pass (the tree is behind) is tried again. */
async function askPatiently(connection: RespConnection, words: readonly string[]): Promise<void> {
  for (;;) {
    try {
      await connection.ask(...words);
      return;
    } catch (error) {
      if (!(error instanceof Error) || !error.message.startsWith("TRYAGAIN")) throw error;
      await new Promise<void>((resolve) => {
        setTimeout(resolve, 50);
      });
    }
  }
}

/** A step that is prime to the number of keys, so that it meets every key once. */
function strideFor(keyCount: number): number {
  let stride = Math.floor(keyCount * 0.618) | 1;
  while (greatestCommonDivisor(stride, keyCount) !== 1) stride += 2;
  return stride;
}

function greatestCommonDivisor(a: number, b: number): number {
  return b === 0 ? a : greatestCommonDivisor(b, a % b);
}
