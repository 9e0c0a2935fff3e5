import type { LoadTotals } from "./batch-loader.ts";
import { CommandFailure } from "./command-failure.ts";
import { print } from "./command-options.ts";
import { countOf, formatCount } from "./quantities.ts";

/** Prints what a load came to. Throws when rows are missing or may be: the exit code must say so. */
export async function reportLoad(totals: LoadTotals, asJson: boolean): Promise<void> {
  const { written, failed, unknown, failures } = totals;
  if (asJson) await print(`${JSON.stringify({ written, failed, unknown, failures })}\n`);
  else {
    await print(
      `${countOf(written, "row")} stored, ${formatCount(failed)} not stored, ${formatCount(unknown)} unknown\n`,
    );
  }
  for (const { label, outcome, reason } of asJson ? [] : failures) {
    process.stderr.write(`  ${label} (${outcome === "unknown" ? "unknown" : "not stored"}): ${reason}\n`);
  }
  if (failed + unknown === 0) return;
  const missing = `${formatCount(failed + unknown)} of ${countOf(written + failed + unknown, "row")}`;
  if (unknown === 0) throw new CommandFailure(`${missing} ${failed === 1 ? "was" : "were"} not stored`);
  throw new CommandFailure(`${missing} may be missing; run it again, or with --retry-unknown`);
}
