import type { HttpConnection, RawAnswer } from "./http-connection.ts";
import { Latencies } from "./latency.ts";

/** What one connection did. */
export interface LoopResult {
  readonly latencies: Latencies;
  readonly answered: number;
  readonly failed: number;
  /** What the first failure looked like; null when there was none. */
  readonly firstFailure: string | null;
  readonly seconds: number;
}

export interface LoopPlan {
  readonly connection: HttpConnection;
  /** The next request; null ends the loop. */
  readonly next: () => Buffer | null;
  /** null when the answer is good, else what is wrong with it. */
  readonly judge: (answer: RawAnswer) => string | null;
  /** Called after each answer. */
  readonly onAnswer: () => void;
}

/** How long a connection that was refused waits before it tries again, so that a dead server is not hammered. */
const RECONNECT_MS = 20;

/**
 * Sends request after request over one connection, the next when the one before is answered. A failed answer counts as a
 * failure, its time is not among the latencies, and the loop goes on.
 */
export async function runClosedLoop({ connection, next, judge, onAnswer }: LoopPlan): Promise<LoopResult> {
  const latencies = new Latencies();
  const startedMs = performance.now();
  let failed = 0;
  let firstFailure: string | null = null;
  return new Promise((resolve) => {
    const step = (): void => {
      const request = next();
      if (request === null) {
        const seconds = (performance.now() - startedMs) / 1000;
        const answered = latencies.summary().count;
        resolve({ latencies, answered, failed, firstFailure, seconds });
        return;
      }
      const sentMs = performance.now();
      connection.send(request, (answer) => {
        const fault = answer.status === 0 ? "the connection failed" : judge(answer);
        if (fault === null) latencies.record(performance.now() - sentMs);
        else {
          failed += 1;
          firstFailure ??= fault;
        }
        onAnswer();
        if (answer.status === 0) setTimeout(step, RECONNECT_MS);
        else step();
      });
    };
    step();
  });
}
