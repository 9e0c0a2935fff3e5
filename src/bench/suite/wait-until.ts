import { setTimeout as sleep } from "node:timers/promises";

const PAUSE_MS = 20;

export interface Patience {
  readonly seconds: number;
  /** Between two questions: answering them must not become a load of its own. */
  readonly pauseMs?: number;
}

/** Waits until `holds`; what throws does not hold yet. Throws with `claim` when the patience is at its end. */
export async function waitUntil(
  claim: string,
  { seconds, pauseMs = PAUSE_MS }: Patience,
  holds: () => Promise<boolean>,
): Promise<void> {
  const deadlineMs = performance.now() + seconds * 1000;
  let lastError = "";
  while (performance.now() < deadlineMs) {
    try {
      if (await holds()) return;
      lastError = "";
    } catch (error) {
      lastError = error instanceof Error ? `: ${error.message}` : "";
    }
    await sleep(pauseMs);
  }
  throw new Error(`after ${seconds} s it still does not hold that ${claim}${lastError}`);
}
