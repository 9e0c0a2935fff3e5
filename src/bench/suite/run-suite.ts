/**
 * `npm run bench`: this database beside its peers, row by row (docs/BENCHMARKS.md). Writes docs/benchmarks/results.json, the
 * charts beside it and the table in docs/BENCHMARKS.md. Exit codes: 0 all bars reached, 1 a bar missed or a row not valid, 2 usage.
 */
import { writeFileSync } from "node:fs";
import { availableParallelism, loadavg } from "node:os";
import { CommanderError } from "commander";
import { installPrograms, missingPrograms } from "./install-programs.ts";
import { keepResults } from "./keep-results.ts";
import { formatFigure, formatLimit, markOf, type ResultFile, type RowResult, SCHEMA } from "./result.ts";
import type { Form, Row } from "./row.ts";
import { ROWS } from "./rows.ts";
import { parseSuiteArguments, type SuitePlan } from "./suite-arguments.ts";
import { readCommit, readSurroundings } from "./surroundings.ts";
import { Workbench } from "./workbench.ts";

const TOOLS = ["taskset", "setpriv"];
const CORES_MIN = 2;
const END_SIGNALS = ["SIGINT", "SIGTERM", "SIGHUP"] as const;
const EXIT_INTERRUPTED = 130;

async function main(words: readonly string[]): Promise<number> {
  const plan = understand(words);
  if (typeof plan === "number") return plan;
  const rows = ROWS.filter(({ id }) => plan.rowIds.includes(id));
  if (availableParallelism() < CORES_MIN) return complain("the server and its load need a core each, and there is one");
  const missing = missingPrograms([...TOOLS, ...rows.flatMap(({ needs }) => needs)]);
  const refusal = missing.length === 0 ? null : installPrograms(missing, say);
  if (refusal !== null) return complain(refusal);
  const [load = 0] = loadavg();
  if (load > 0.5) say(`the machine is busy (load ${load.toFixed(1)}): trust the spread more than the median`);
  const results = await runRows(rows, plan);
  if (results === null) return EXIT_INTERRUPTED;
  report(results, plan);
  return results.rows.every((row) => markOf(row) === "reached" || markOf(row) === "goal reached") ? 0 : 1;
}

function understand(words: readonly string[]): SuitePlan | number {
  try {
    return parseSuiteArguments(
      words,
      ROWS.map(({ id }) => id),
    );
  } catch (error) {
    if (error instanceof CommanderError) return error.exitCode === 0 ? 0 : 2;
    throw error;
  }
}

/** null when it was interrupted: half a run is no result. */
async function runRows(rows: readonly Row[], plan: SuitePlan): Promise<ResultFile | null> {
  const bench = new Workbench(plan.directory, say);
  const interrupt = (): void => {
    say("interrupted: ending what was started");
    // At once, and not when the row that is under way has found out.
    void bench.close().finally(() => process.exit(EXIT_INTERRUPTED));
  };
  for (const signal of END_SIGNALS) process.once(signal, interrupt);
  const results: RowResult[] = [];
  const surroundings = readSurroundings(bench.root);
  try {
    for (const row of rows) {
      const result = await runRow(bench, row, plan.form);
      if (bench.isClosed) return null;
      results.push(result);
    }
  } finally {
    await bench.close();
    for (const signal of END_SIGNALS) process.off(signal, interrupt);
  }
  return { schema: SCHEMA, surroundings, rows: results };
}

/** A row that fails is a result too: not valid, and why. The others go on. */
async function runRow(bench: Workbench, row: Row, form: Form): Promise<RowResult> {
  say(`${row.id}  ${row.what}`);
  const startedMs = performance.now();
  const about = {
    id: row.id,
    name: row.name,
    what: row.what,
    form,
    date: new Date().toISOString(),
    commit: readCommit(),
  };
  const seconds = (): number => Math.round((performance.now() - startedMs) / 1000);
  try {
    const outcome = await row.run(bench, form);
    return { ...about, ...outcome, seconds: seconds() };
  } catch (error) {
    const fault = error instanceof Error ? error.message : String(error);
    if (!bench.isClosed) say(`  ${row.id} failed: ${fault}`);
    return { ...about, figures: [], faults: [fault], notes: [], seconds: seconds() };
  } finally {
    await bench.endAll();
    bench.clear();
  }
}

function report(results: ResultFile, plan: SuitePlan): void {
  say("");
  for (const row of results.rows) {
    for (const figure of row.figures) {
      const bar = formatLimit(figure, figure.bar);
      const mark = markOf({ figures: [figure], faults: row.faults, notes: [] });
      const label = figure.label === "" ? "" : ` (${figure.label})`;
      say(`${row.id.padEnd(4)} ${mark.padEnd(13)} ${formatFigure(figure.median, figure.unit)}, bar ${bar}${label}`);
    }
    for (const fault of row.faults) say(`${row.id.padEnd(4)} not valid     ${fault}`);
    for (const note of row.notes) say(`${row.id.padEnd(4)} ${note}`);
  }
  if (plan.jsonFile !== null) writeFileSync(plan.jsonFile, `${JSON.stringify(results, null, 2)}\n`);
  if (plan.keeps) for (const line of keepResults(results)) say(line);
}

function complain(reason: string): number {
  console.error(`bench: ${reason}`);
  return 1;
}

function say(line: string): void {
  console.log(line);
}

// A row that failed may still be waiting for something, which must not hold up the end.
process.exit(await main(process.argv.slice(2)));
