/** `npm run check`: format, lint, types, tidy, dead code and unit tests, before every commit; under a minute. */
import { join } from "node:path";
import { runCheckSteps } from "./testing/check-steps.ts";
import { runTestFiles, UNIT_PHASE } from "./testing/test-files.ts";
import { addTotals } from "./testing/totals.ts";

const root = join(import.meta.dirname, "..");
const startedMs = performance.now();
// Two lanes for two cores: the checks in one, the unit tests, which take longest, in the other.
const [steps, tests] = await Promise.all([runCheckSteps(root), runTestFiles(root, { ...UNIT_PHASE, concurrency: 1 })]);
const { passed, failed } = addTotals(steps, tests);
console.log(`check took ${((performance.now() - startedMs) / 1000).toFixed(1)} s`);
console.log(`${passed} passed, ${failed} failed`);
if (failed > 0 || tests.passed === 0) process.exitCode = 1;
