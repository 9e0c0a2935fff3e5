import { setTimeout as sleep } from "node:timers/promises";

const PAUSE_MS = 20;

/** Waits until `holds`; what throws does not hold yet. Throws with `claim` after `seconds`. */
export async function waitUntil(claim: string, seconds: number, holds: () => Promise<boolean>): Promise<void> {
  const deadlineMs = performance.now() + seconds * 1000;
  let lastError = "";
  while (performance.now() < deadlineMs) {
    try {
      if (await holds()) return;
      lastError = "";
    } catch (error) {
      lastError = error instanceof Error ? `: ${error.message}` : "";
    }
    await sleep(PAUSE_MS);
  }
  throw new Error(`after ${seconds} s it still does not hold that ${claim}${lastError}`);
}
