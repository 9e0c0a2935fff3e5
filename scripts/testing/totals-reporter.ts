import { relative } from "node:path";
import type { TestEvent } from "node:test/reporters";

/**
 * A reporter for node:test that writes nothing but one JSON object at the end of a run: the totals, and which files had any test,
 * relative to the working directory.
 */
export default async function* totalsReporter(source: AsyncIterable<TestEvent>): AsyncGenerator<string, void> {
  const files = new Set<string>();
  for await (const event of source) {
    const isTest = event.type === "test:pass" || event.type === "test:fail";
    if (isTest && event.data.file !== undefined) files.add(relative(process.cwd(), event.data.file));
    if (event.type !== "test:summary") continue;
    const { tests, passed, skipped, todo } = event.data.counts;
    const totals = { passed, failed: tests - passed - skipped - todo, skipped: skipped + todo };
    yield JSON.stringify({ ...totals, files: [...files] });
  }
}
