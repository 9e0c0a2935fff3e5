/** When operations start. Times are milliseconds since the load began. */
export interface LoadPace {
  /** How many operations should have been started by then, since the beginning. */
  dueBy(elapsedMs: number): number;
  /** When operation number `index` (from 0 on) is meant to start; for a closed loop: now. */
  startOf(index: number, elapsedMs: number): number;
  /** Whether operations start by a schedule, whatever the answers do. */
  readonly isScheduled: boolean;
}

/** The closed loop: the next operation starts when one is answered, as many as the connections take. */
export const CLOSED_LOOP: LoadPace = {
  dueBy: () => Infinity,
  startOf: (_index, elapsedMs) => elapsedMs,
  isScheduled: false,
};

/**
 * The open loop: operations start at a constant rate, whether or not earlier ones are answered, as if they came from many
 * people who do not know of each other. A latency counts from when the operation was meant to start: a server that stalls
 * for a second shows a second to all who would have asked meanwhile (no coordinated omission).
 */
export function openLoop(perSecond: number): LoadPace {
  return {
    dueBy: (elapsedMs) => Math.floor((elapsedMs * perSecond) / 1000) + 1,
    startOf: (index) => (index * 1000) / perSecond,
    isScheduled: true,
  };
}
