import { Presets, SingleBar } from "cli-progress";
import { KvError } from "../model/errors.ts";
import { formatHostPort, type HostPort, parseHostPort } from "../server/node-address.ts";
import { type LoopResult, runClosedLoop } from "./closed-loop.ts";
import { HttpConnection, type RawAnswer, renderRequest } from "./http-connection.ts";
import { formatDuration, Latencies, type LatencySummary } from "./latency.ts";

/** The options as commander hands them over. */
export interface PhaseOptions {
  readonly addr?: string;
  readonly iterations: string;
  readonly readIterations: string;
  readonly concurrency: string;
  readonly valueBytes: string;
  readonly durability?: string;
  readonly json?: true;
}

/** The options, understood. */
interface BenchPlan {
  readonly address: HostPort;
  /** For each connection. */
  readonly writeCount: number;
  readonly readCount: number;
  readonly connectionCount: number;
  readonly valueBytes: number;
  readonly durability: string | undefined;
  readonly asJson: boolean;
}

interface PhaseReport {
  readonly qps: number;
  readonly answered: number;
  readonly failed: number;
  readonly firstFailure: string | null;
  readonly latencyMs: LatencySummary;
}

/**
 * The small system's benchmark: every connection writes its keys, then reads them back at random. Prints its lines and returns
 * the exit code, 0 or 1. Throws INVALID_ARGUMENT when an option is wrong, UNREACHABLE when no node answers.
 */
export async function runPhaseBenchmark(options: PhaseOptions, defaultNode: () => string): Promise<number> {
  return runBenchmark(planOf(options, defaultNode));
}

function planOf(options: PhaseOptions, defaultNode: () => string): BenchPlan {
  return {
    address: parseAddress(options.addr ?? defaultNode()),
    writeCount: parseCount("--iterations", options.iterations, 1),
    readCount: parseCount("--read-iterations", options.readIterations, 0),
    connectionCount: parseCount("--concurrency", options.concurrency, 1),
    valueBytes: parseCount("--value-bytes", options.valueBytes, 0),
    durability: options.durability,
    asJson: options.json === true,
  };
}

async function runBenchmark(plan: BenchPlan): Promise<number> {
  const { address, writeCount, readCount, connectionCount } = plan;
  await checkReachable(address);
  const say = (line: string): void => {
    if (!plan.asJson) console.log(line);
  };
  say(
    ` Benchmarking http://${formatHostPort(address)} | Writes: ${writeCount} × ${connectionCount} threads | Reads: ${readCount}`,
  );
  const write = await runPhase(plan, { name: "write", count: writeCount, say });
  say(`✔ Write Phase Complete: ${write.qps.toFixed(1)} QPS total | ${write.answered} keys written`);
  sayDetails(write, say);
  const read = await runPhase(plan, { name: "read", count: write.answered === 0 ? 0 : readCount, say });
  say(`✔ Read Phase Complete: ${read.qps.toFixed(1)} QPS total | ${read.answered} keys read`);
  sayDetails(read, say);
  if (plan.asJson) {
    console.log(JSON.stringify({ address: formatHostPort(address), connections: connectionCount, write, read }));
  }
  return write.failed + read.failed > 0 ? 1 : 0;
}

async function runPhase(
  plan: BenchPlan,
  phase: { readonly name: "write" | "read"; readonly count: number; readonly say: (line: string) => void },
): Promise<PhaseReport> {
  const { name, count, say } = phase;
  const bar = startBar(name, count * plan.connectionCount);
  const connections = Array.from(
    { length: plan.connectionCount },
    () => new HttpConnection(plan.address.host, plan.address.port),
  );
  const results = await Promise.all(
    connections.map(async (connection, index) => {
      const work = name === "write" ? writeWork(plan, index) : readWork(plan, index);
      let left = count;
      return runClosedLoop({
        connection,
        next: () => (left-- > 0 ? work.next() : null),
        judge: work.judge,
        onAnswer: () => bar?.increment(),
      });
    }),
  );
  bar?.stop();
  for (const connection of connections) connection.close();
  for (const result of results) say(loopLine(name, result));
  return reportOf(results);
}

/** One connection's requests, and how its answers should look. */
interface Work {
  readonly next: () => Buffer;
  readonly judge: (answer: RawAnswer) => string | null;
}

function writeWork(plan: BenchPlan, connectionIndex: number): Work {
  const durability = plan.durability === undefined ? "" : `KV-Durability: ${plan.durability}\r\n`;
  let index = 0;
  return {
    next: () => {
      const target = targetOf(connectionIndex, index);
      const body = valueOf(plan, connectionIndex, index);
      index += 1;
      return renderRequest({ method: "PUT", target, host: formatHostPort(plan.address), headers: durability, body });
    },
    judge: ({ status, body }) => (status === 200 || status === 201 ? null : describeFault(status, body)),
  };
}

/** Reads keys that this connection wrote, at random, and compares what comes back with what was written. */
function readWork(plan: BenchPlan, connectionIndex: number): Work {
  let index = 0;
  return {
    next: () => {
      index = Math.floor(Math.random() * plan.writeCount);
      return renderRequest({
        method: "GET",
        target: targetOf(connectionIndex, index),
        host: formatHostPort(plan.address),
      });
    },
    judge: ({ status, body }) => {
      if (status !== 200) return describeFault(status, body);
      return body.equals(valueOf(plan, connectionIndex, index)) ? null : "the value is not what was written";
    },
  };
}

function targetOf(connectionIndex: number, index: number): string {
  return `/v1/kv/bench:${connectionIndex}:${index}`;
}

/** A value that tells which key it belongs to, so that a read can be checked without remembering all writes. */
function valueOf({ valueBytes }: BenchPlan, connectionIndex: number, index: number): Buffer {
  return Buffer.alloc(valueBytes, `${connectionIndex}:${index};`, "latin1");
}

function describeFault(status: number, body: Buffer): string {
  const detail = /"detail":"((?:[^"\\]|\\.)*)"/.exec(body.toString("utf8"))?.[1];
  return detail === undefined ? `status ${status}` : `status ${status}: ${detail}`;
}

function loopLine(name: string, { latencies, answered, seconds }: LoopResult): string {
  const { mean, max, min } = latencies.summary();
  const qps = seconds === 0 ? 0 : answered / seconds;
  return `→ [${name}] Avg: ${formatDuration(mean)} | QPS: ${qps.toFixed(1)} | Max: ${formatDuration(max)} | Min: ${formatDuration(min)}`;
}

function reportOf(results: readonly LoopResult[]): PhaseReport {
  const latencies = new Latencies();
  for (const result of results) latencies.add(result.latencies);
  const sum = (read: (result: LoopResult) => number): number => results.reduce((total, one) => total + read(one), 0);
  return {
    qps: sum(({ answered, seconds }) => (seconds === 0 ? 0 : answered / seconds)),
    answered: sum(({ answered }) => answered),
    failed: sum(({ failed }) => failed),
    firstFailure: results.find(({ firstFailure }) => firstFailure !== null)?.firstFailure ?? null,
    latencyMs: latencies.summary(),
  };
}

function sayDetails({ latencyMs, failed, firstFailure }: PhaseReport, say: (line: string) => void): void {
  const { p50, p90, p95, p99, p999 } = latencyMs;
  const named = [
    ["p50", p50],
    ["p90", p90],
    ["p95", p95],
    ["p99", p99],
    ["p99.9", p999],
  ] as const;
  say(`  latency ${named.map(([name, ms]) => `${name} ${formatDuration(ms)}`).join(" | ")}`);
  if (failed > 0) say(`✘ ${failed} failed answers, the first: ${firstFailure}`);
}

function startBar(name: string, total: number): SingleBar | null {
  if (!process.stderr.isTTY || total === 0) return null;
  const format = `${name} {bar} {percentage} % · {value} of {total} · {eta_formatted} left`;
  const bar = new SingleBar({ format, stream: process.stderr, clearOnComplete: true, fps: 8 }, Presets.shades_classic);
  bar.start(total, 0);
  return bar;
}

async function checkReachable({ host, port }: HostPort): Promise<void> {
  const probe = new HttpConnection(host, port);
  const target = formatHostPort({ host, port });
  const answer = await new Promise<RawAnswer>((resolve) => {
    probe.send(renderRequest({ method: "GET", target: "/healthz", host: target }), resolve);
  });
  probe.close();
  if (answer.status === 200) return;
  throw new KvError(
    "UNREACHABLE",
    `no node answers HTTP at ${target}; start the cluster with ./launch.sh, or name a node's HTTP address with --addr`,
  );
}

function parseAddress(text: string): HostPort {
  const parsed = parseHostPort(text.replace(/^http:\/\//, "").replace(/\/$/, ""));
  if (typeof parsed === "string") throw new KvError("INVALID_ARGUMENT", `--addr ${text} ${parsed}`);
  return parsed;
}

function parseCount(option: string, text: string, min: number): number {
  if (/^\d{1,9}$/.test(text) && Number(text) >= min) return Number(text);
  throw new KvError("INVALID_ARGUMENT", `${option} ${text} must be a whole number from ${min} on`);
}
