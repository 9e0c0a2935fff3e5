import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { renderCharts } from "./charts.ts";
import { mergeResults, type ResultFile, type RowResult } from "./result.ts";
import { replaceResults } from "./results-document.ts";

const DOCUMENT = fileURLToPath(new URL("../../../docs/BENCHMARKS.md", import.meta.url));
const FOLDER = fileURLToPath(new URL("../../../docs/benchmarks", import.meta.url));
const RESULTS = join(FOLDER, "results.json");

/** Puts the new rows among the ones that are kept, writes table and charts, and says what was done. */
export function keepResults(fresh: ResultFile): string[] {
  mkdirSync(FOLDER, { recursive: true });
  const { rows, notKept } = mergeResults(readRows(), fresh.rows);
  const lines = notKept.length === 0 ? [] : [`${notKept.join(", ")}: the table keeps the full form's figures`];
  if (notKept.length === fresh.rows.length) return lines;
  const all: ResultFile = { ...fresh, rows };
  writeFileSync(RESULTS, `${JSON.stringify(all, null, 2)}\n`);
  const charts = renderCharts(rows);
  for (const { name, svg } of charts) writeFileSync(join(FOLDER, name), svg);
  const names = charts.map(({ name }) => name);
  writeFileSync(DOCUMENT, replaceResults(readFileSync(DOCUMENT, "utf8"), all, names));
  return [...lines, "written: docs/BENCHMARKS.md, docs/benchmarks/"];
}

function readRows(): readonly RowResult[] {
  if (!existsSync(RESULTS)) return [];
  const file: unknown = JSON.parse(readFileSync(RESULTS, "utf8"));
  if (!isResultFile(file)) throw new Error("docs/benchmarks/results.json is not a file of results");
  return file.rows;
}

function isResultFile(value: unknown): value is ResultFile {
  return typeof value === "object" && value !== null && "rows" in value && Array.isArray(value.rows);
}
