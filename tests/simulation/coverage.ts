/**
 * `npm run coverage`: runs the courses of the test run in this process and prints how many branches of the core they took, and where
 * those are that they did not. A branch is a block of V8's precise coverage (a function counts as one); those that begin in a line with the
 * switch of a planted mistake are left out, which nothing takes here. `--times N` runs N times as many seeds.
 */
import { readFileSync } from "node:fs";
import { type Profiler, Session } from "node:inspector/promises";
import { relative } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { COURSES } from "./courses.ts";

const ROOT = fileURLToPath(new URL("../..", import.meta.url));
const CORE = /^src\/(replication|shard|log)\/(?!.*(\.test|planted-mistakes)\.ts$)/;

interface FileCoverage {
  readonly path: string;
  readonly branches: number;
  /** Lines at which branches begin that were not taken. */
  readonly missedLines: readonly number[];
}

const { values } = parseArgs({ options: { times: { type: "string", default: "1" } } });
const session = new Session();
session.connect();
await session.post("Profiler.enable");
await session.post("Profiler.startPreciseCoverage", { callCount: true, detailed: true });
// Only what is loaded from here on is counted block by block.
const { runSeed } = await import("./run-seed.ts");
for (const { scenario, seeds } of COURSES) {
  for (let seed = 1; seed <= seeds * Number(values.times); seed++) {
    const { violation } = runSeed({ scenario, seed, without: [], workload: 1, mutants: [] });
    if (violation !== null) console.log(`seed ${seed} of ${scenario} fails: ${violation.property}`);
  }
}
const { result } = await session.post("Profiler.takePreciseCoverage");
show(result.flatMap(coverageOf).sort((a, b) => b.missedLines.length - a.missedLines.length));

function coverageOf({ url, functions }: Profiler.ScriptCoverage): FileCoverage[] {
  const path = url.startsWith("file://") ? relative(ROOT, fileURLToPath(url)) : "";
  if (!CORE.test(path)) return [];
  const text = readFileSync(new URL(url), "utf8");
  const lines = text.split("\n");
  const missedLines: number[] = [];
  let branches = 0;
  for (const { startOffset, count } of functions.flatMap(({ ranges }) => ranges)) {
    const line = text.slice(0, startOffset).split("\n").length;
    if (lines[line - 1]?.includes("mutant(") === true) continue;
    branches++;
    if (count === 0) missedLines.push(line);
  }
  return [{ path, branches, missedLines }];
}

function show(files: readonly FileCoverage[]): void {
  for (const { path, branches, missedLines } of files) {
    if (missedLines.length > 0) console.log(`${path}: ${missedLines.length} of ${branches}: ${missedLines.join(", ")}`);
  }
  const branches = files.reduce((sum, file) => sum + file.branches, 0);
  const missed = files.reduce((sum, file) => sum + file.missedLines.length, 0);
  const share = (100 * (1 - missed / branches)).toFixed(1);
  console.log(`${share} % of ${branches} branches taken, in ${files.length} files`);
}
