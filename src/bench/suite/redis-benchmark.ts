import { HOST } from "./cores.ts";
import type { LoadFigures } from "./load-figures.ts";
import type { Workbench } from "./workbench.ts";

export interface RespLoad {
  readonly port: number;
  /** Or a whole command, the same each time. */
  readonly command: "set" | "get" | readonly string[];
  readonly connectionCount: number;
  /** Commands sent before the first answer is waited for; 1: no pipelining. */
  readonly pipeline: number;
  /** Keys are `key:` and 12 digits, drawn uniformly below this. */
  readonly keyCount: number;
  readonly valueBytes: number;
  readonly core: number | null;
}

interface CsvRow {
  readonly rps: number;
  readonly p50: number;
  readonly p99: number;
}

const FIRST_GUESS = 10_000;
/** Of the run's length: long enough that a server has compiled what it runs. */
const REHEARSAL_SHARE = 0.15;
const ROOM = 1.08;
const ATTEMPTS = 8;

/**
 * Runs `redis-benchmark` for at least `seconds`. It only knows numbers of requests, so a rehearsal first says how many that
 * takes; it also warms the server up.
 */
export async function runRedisBenchmark(bench: Workbench, load: RespLoad, seconds: number): Promise<LoadFigures> {
  const first = await runRedisBenchmarkOnce(bench, load, FIRST_GUESS * Math.sqrt(load.pipeline));
  let { rps } = await runRedisBenchmarkOnce(bench, load, Math.ceil(first.rps * seconds * REHEARSAL_SHARE));
  for (let attempt = 0; attempt < ATTEMPTS; attempt++) {
    const operations = Math.ceil(rps * seconds * ROOM);
    const row = await runRedisBenchmarkOnce(bench, load, operations);
    const took = operations / row.rps;
    if (took >= seconds) {
      return { opsPerSecond: row.rps, seconds: took, operations, p50Ms: row.p50, p99Ms: row.p99 };
    }
    rps = Math.max(rps, row.rps) * ROOM;
  }
  throw new Error(`redis-benchmark did not last ${seconds} s`);
}

/** Runs it for so many requests. Throws when it does not end well. */
export async function runRedisBenchmarkOnce(bench: Workbench, load: RespLoad, operations: number): Promise<CsvRow> {
  const parameters = [
    ["-h", HOST],
    ["-p", String(load.port)],
    typeof load.command === "string" ? ["-t", load.command] : [],
    ["-c", String(load.connectionCount)],
    ["-P", String(load.pipeline)],
    ["-r", String(load.keyCount)],
    ["-d", String(load.valueBytes)],
    ["-n", String(operations)],
    ["--csv"],
    typeof load.command === "string" ? [] : load.command,
  ].flat();
  const name = "redis-benchmark";
  return readCsv(await bench.run({ name, program: name, parameters, core: load.core }));
}

/** Reads its CSV: a line of names and a line of figures. Whatever else it printed is an error. */
export function readCsv(printed: string): CsvRow {
  const lines = printed.trim().split("\n");
  const start = lines.findIndex((line) => line.startsWith('"test"'));
  const cells = (line: string | undefined): string[] => (line ?? "").split(",").map((cell) => cell.replaceAll('"', ""));
  const names = cells(lines[start]);
  const figures = cells(lines[start + 1]);
  const figure = (name: string): number => Number(figures[names.indexOf(name)]);
  const row = { rps: figure("rps"), p50: figure("p50_latency_ms"), p99: figure("p99_latency_ms") };
  const isOnlyThese = start === 0 && lines.length === 2;
  if (isOnlyThese && Object.values(row).every((value) => Number.isFinite(value)) && row.rps > 0) return row;
  throw new Error(`redis-benchmark printed ${JSON.stringify(printed.slice(0, 400))}`);
}
