import assert from "node:assert/strict";
import { test } from "node:test";
import type { ResultFile, RowResult } from "./result.ts";
import { replaceResults } from "./results-document.ts";
import type { Figure } from "./row.ts";

const DOCUMENT = `# Title

<!-- results:begin (written by npm run bench) -->
old
<!-- results:end -->
the end
`;

function resultsOf(rows: readonly RowResult[]): ResultFile {
  const surroundings = {
    cpu: "a processor",
    cores: 2,
    memoryGib: 8,
    kernel: "Linux 6",
    disk: "ext4",
    node: "24",
    redis: "7.0",
    etcd: "3.4",
    wrk: "4.1",
  };
  return { schema: "", surroundings, rows };
}

function rowOf(id: string, changes: Partial<RowResult>): RowResult {
  const about = {
    id,
    name: "SET",
    what: "RESP SET",
    form: "full",
    date: "2026-01-02T03:04:05.000Z",
    seconds: 10,
  } as const;
  return { ...about, commit: "abc", figures: [], faults: [], notes: [], ...changes };
}

const MISSED: Figure = {
  label: "HTTP",
  direction: "at least",
  unit: "×",
  bar: 1.2,
  reach: 2,
  median: 0.8,
  min: 0.7,
  max: 0.95,
  subject: { name: "kv", value: 40_000, unit: "ops/s" },
  peer: { name: "Redis", value: 50_000, unit: "ops/s" },
};

test("a missed bar stays in the table, marked, with both absolute figures", () => {
  const text = replaceResults(DOCUMENT, resultsOf([rowOf("P2", { figures: [MISSED] })]), []);
  const line = text.split("\n").find((one) => one.startsWith("| P2"));
  assert.equal(
    line,
    "| P2 | RESP SET; HTTP | ≥ 1.2 | ≥ 2 | **0.80 ×** | 0.70–0.95 | 40,000 ops/s | Redis: 50,000 ops/s | **MISSED** |",
  );
});

test("everything around the results stays, and the old ones go", () => {
  const once = replaceResults(DOCUMENT, resultsOf([]), []);
  assert.match(once, /^# Title\n\n<!-- results:begin/);
  assert.match(once, /<!-- results:end -->\nthe end\n$/);
  assert.doesNotMatch(once, /old/);
  assert.equal(replaceResults(once, resultsOf([]), []), once);
});

test("a row that is not valid says why, and rows tell when and of what they are", () => {
  const rows = [
    rowOf("P1", { faults: ["the log outgrew the tree"], notes: ["short"] }),
    rowOf("P2", { form: "quick", commit: "def" }),
  ];
  const text = replaceResults(DOCUMENT, resultsOf(rows), ["overview.svg"]);
  assert.match(text, /\| P1 \| RESP SET \|.*\*\*not valid\*\* \|/);
  assert.match(text, /- P1 is \*\*not valid\*\*: the log outgrew the tree/);
  assert.match(text, /- P1: short/);
  assert.match(text, /!\[overview\]\(benchmarks\/overview\.svg\)/);
  assert.match(text, /- P1: full form, 2026-01-02, commit abc/);
  assert.match(text, /- P2: quick form, 2026-01-02, commit def/);
});

test("a document without the two marks is refused", () => {
  assert.throws(() => replaceResults("# Title\n", resultsOf([]), []), /has no lines/);
});
