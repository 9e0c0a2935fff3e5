import type { ChaosRun } from "./chaos-run.ts";

/** One thing that goes wrong, and how it is put right again. */
export interface Fault {
  /** Unique within its scenario: a run must inject each kind at least once. */
  readonly kind: string;
  /** Takes so long that short runs leave it out. */
  readonly isLong?: boolean;
  /** Injects the fault, verifies that it happened (`run.injected`), and heals it. What is measured goes to `run.measure`. */
  inflict(run: ChaosRun): Promise<void>;
}
