import { fileURLToPath } from "node:url";
import { HOST } from "./cores.ts";
import { KEY_PREFIX } from "./preload.ts";
import type { StartedProcess } from "./started-process.ts";
import type { Workbench } from "./workbench.ts";

export interface ClientLoad {
  /** Of the node that is loaded. */
  readonly httpPort: number;
  readonly workload: "read" | "write";
  readonly keyCount: number;
  readonly valueBytes: number;
  readonly seconds: number;
  readonly connectionCount: number;
  readonly pipeline?: number;
  /** Operations a second, started by schedule whatever the answers do; left out: a closed loop. */
  readonly rate?: number;
}

/** What our own load generator reports; latencies in milliseconds from when an operation should have started. */
export interface ClientFigures {
  readonly opsPerSecond: number;
  readonly count: number;
  readonly p99Ms: number;
  /** By how much the generator itself was late: what is much more than that is the server's. */
  readonly lateP99Ms: number;
}

/** How far an open loop may stay behind its rate before the figure does not show that rate. */
const RATE_SHARE_MIN = 0.98;

/** Runs `benchclient` over RESP. Throws when an operation failed, or when an open loop did not keep its rate. */
export async function runBenchclient(bench: Workbench, load: ClientLoad): Promise<ClientFigures> {
  const started = startBenchclient(bench, load);
  await started.ended;
  const figures = readClientFigures(started.standardOutput === "" ? started.lastWords : started.standardOutput);
  if (load.rate !== undefined && figures.opsPerSecond < load.rate * RATE_SHARE_MIN) {
    throw new Error(
      `only ${Math.round(figures.opsPerSecond)} of ${Math.round(load.rate)} operations a second were done`,
    );
  }
  return figures;
}

function startBenchclient(bench: Workbench, load: ClientLoad): StartedProcess {
  const program = fileURLToPath(new URL("../benchclient.ts", import.meta.url));
  const parameters = [
    [...process.execArgv, program],
    ["--addr", `${HOST}:${load.httpPort}`],
    ["--protocol", "resp"],
    ["--workload", load.workload],
    ["--keys", String(load.keyCount)],
    ["--key-prefix", KEY_PREFIX],
    ["--value-bytes", String(load.valueBytes)],
    ["--duration", String(load.seconds)],
    ["--connections", String(load.connectionCount)],
    ["--pipeline", String(load.pipeline ?? 1)],
    load.rate === undefined ? [] : ["--rate", String(Math.round(load.rate))],
    ["--json"],
  ].flat();
  return bench.start({ name: "benchclient", program: process.execPath, parameters, core: null });
}

/** Reads the JSON that `benchclient --json` prints; throws on failed operations. */
export function readClientFigures(printed: string): ClientFigures {
  const report = parseObject(printed);
  const failed = numberAt(report, "failed", printed);
  if (failed > 0) throw new Error(`${failed} operations failed, the first: ${String(report.get("firstFailure"))}`);
  return {
    opsPerSecond: numberAt(report, "opsPerSecond", printed),
    count: numberAt(report, "count", printed),
    p99Ms: numberAt(membersOf(report.get("latencyMs")), "p99", printed),
    lateP99Ms: numberAt(membersOf(report.get("lateMs")), "p99", printed),
  };
}

function parseObject(text: string): ReadonlyMap<string, unknown> {
  try {
    return membersOf(JSON.parse(text));
  } catch {
    throw new Error(`benchclient printed ${JSON.stringify(text.slice(0, 400))}`);
  }
}

function membersOf(value: unknown): ReadonlyMap<string, unknown> {
  return new Map(typeof value === "object" && value !== null ? Object.entries(value) : []);
}

function numberAt(members: ReadonlyMap<string, unknown>, name: string, printed: string): number {
  const value = members.get(name);
  if (typeof value === "number") return value;
  throw new Error(`benchclient told no ${name}: ${JSON.stringify(printed.slice(0, 400))}`);
}
