import { Records } from "../load/records.ts";
import { HOST } from "./cores.ts";
import { RespConnection } from "./resp-connection.ts";
import { waitUntil } from "./wait-until.ts";

/** Keys in one MSET, and how many of them are under way. */
const KEYS_PER_COMMAND = 500;
const IN_FLIGHT_MAX = 8;
const STORED_SECONDS = 300;

/** With the ten digits behind it, the keys that `redis-benchmark` draws from: `key:` and 12 digits. */
export const KEY_PREFIX = "key:00";

/** The key of this number. */
export function benchKey(index: number): string {
  return new Records(KEY_PREFIX, 0).keyOf(index);
}

/**
 * Writes the keys 0 to `keyCount - 1`, in an order that is not theirs, so that the tree does not come out better packed than
 * in use. `benchclient` knows the values again. Throws when one is not stored.
 */
export async function preload(
  port: number,
  { keyCount, valueBytes }: { readonly keyCount: number; readonly valueBytes: number },
): Promise<void> {
  const connection = await RespConnection.open(HOST, port);
  const records = new Records(KEY_PREFIX, valueBytes);
  const stride = strideFor(keyCount);
  let next = 0;
  const work = async (): Promise<void> => {
    while (next < keyCount) {
      const first = next;
      next = Math.min(keyCount, next + KEYS_PER_COMMAND);
      const words = ["MSET"];
      // Exact: below 2⁵³ for every number of keys that fits on a disk.
      for (let number = first; number < next; number++) {
        const index = (number * stride) % keyCount;
        words.push(records.keyOf(index), records.valueOf(index, 0));
      }
      await askPatiently(connection, words);
    }
  };
  await Promise.all(Array.from({ length: IN_FLIGHT_MAX }, work));
  // A node counts many keys exactly only when its tree has them.
  await waitUntil(`${keyCount} keys are stored`, { seconds: STORED_SECONDS }, async () => {
    const stored = Number(await connection.ask("DBSIZE"));
    if (stored !== keyCount) throw new Error(`${stored} are`);
    return true;
  });
  connection.close();
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
