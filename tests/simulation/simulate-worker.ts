/** Runs the seeds that its parent sends, one at a time, and sends back their reports. Ends when its parent lets go of it. */
import type { SeedJob } from "./run-seed.ts";
import { runSeed } from "./run-seed.ts";

process.on("message", (job: SeedJob) => {
  process.send?.(runSeed(job));
});
process.on("disconnect", () => process.exit(0));
