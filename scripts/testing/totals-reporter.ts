import type { TestEvent } from "node:test/reporters";

/** A reporter for node:test that writes nothing but the totals, as one JSON object, at the end of a file's run. */
export default async function* totalsReporter(source: AsyncIterable<TestEvent>): AsyncGenerator<string, void> {
  for await (const event of source) {
    if (event.type !== "test:summary") continue;
    const { tests, passed, skipped, todo } = event.data.counts;
    yield JSON.stringify({ passed, failed: tests - passed - skipped - todo, skipped: skipped + todo });
  }
}
