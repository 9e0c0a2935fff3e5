import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { HOST } from "./cores.ts";
import type { LoadFigures } from "./load-figures.ts";
import type { Workbench } from "./workbench.ts";

/** One request of a load; drawn at random from all of them. No tabs, no line ends. */
export interface HttpRequest {
  readonly method: string;
  readonly path: string;
  readonly body: string;
}

export interface HttpLoad {
  readonly port: number;
  readonly connectionCount: number;
  readonly requests: readonly HttpRequest[];
  readonly core: number | null;
}

const WARM_SECONDS = 1;

/** Reads requests from the file of its first argument; prints what came of them as JSON. */
const SCRIPT = `
local requests = {}
function init(arguments)
  for line in io.lines(arguments[1]) do
    local method, path, body = line:match("([^\\t]*)\\t([^\\t]*)\\t(.*)")
    if body == "" then body = nil end
    requests[#requests + 1] = wrk.format(method, path, nil, body)
  end
  math.randomseed(os.time())
end
function request()
  return requests[math.random(#requests)]
end
function done(summary, latency, _)
  local errors = summary.errors
  io.write(string.format(
    '\\nRESULT {"requests":%d,"microseconds":%d,"failed":%d,"refused":%d,"p50":%d,"p99":%d}\\n',
    summary.requests, summary.duration, errors.connect + errors.read + errors.write + errors.timeout, errors.status,
    latency:percentile(50), latency:percentile(99)))
end
`;

/** Runs `wrk` with one thread, warmed up. Throws when a single request failed or was answered with 400 or more. */
export async function runWrk(bench: Workbench, load: HttpLoad, seconds: number): Promise<LoadFigures> {
  const folder = bench.folder("wrk");
  const script = join(folder, "load.lua");
  const requests = join(folder, "requests.tsv");
  writeFileSync(script, SCRIPT);
  writeFileSync(requests, load.requests.map(({ method, path, body }) => `${method}\t${path}\t${body}\n`).join(""));
  const run = async (duration: number): Promise<LoadFigures> => {
    const parameters = [
      ["--threads", "1"],
      ["--connections", String(load.connectionCount)],
      ["--duration", `${duration}s`],
      ["--script", script],
      [`http://${HOST}:${load.port}`, requests],
    ].flat();
    return readWrkResult(await bench.run({ name: "wrk", program: "wrk", parameters, core: load.core }));
  };
  await run(WARM_SECONDS);
  return run(seconds);
}

/** Reads the line that the script prints. */
export function readWrkResult(printed: string): LoadFigures {
  const line = /^RESULT (.*)$/m.exec(printed)?.[1];
  const result: unknown = line === undefined ? null : JSON.parse(line);
  if (!isResult(result)) throw new Error(`wrk printed ${JSON.stringify(printed.slice(0, 400))}`);
  const { requests, microseconds, failed, refused, p50, p99 } = result;
  if (failed + refused > 0 || requests === 0) {
    throw new Error(`of ${requests} HTTP requests ${failed} failed and ${refused} were answered with an error`);
  }
  const seconds = microseconds / 1e6;
  return { opsPerSecond: requests / seconds, seconds, operations: requests, p50Ms: p50 / 1000, p99Ms: p99 / 1000 };
}

interface WrkResult {
  readonly requests: number;
  readonly microseconds: number;
  readonly failed: number;
  readonly refused: number;
  readonly p50: number;
  readonly p99: number;
}

function isResult(value: unknown): value is WrkResult {
  const names = ["requests", "microseconds", "failed", "refused", "p50", "p99"];
  if (typeof value !== "object" || value === null) return false;
  const entries = new Map(Object.entries(value));
  return names.every((name) => typeof entries.get(name) === "number");
}
