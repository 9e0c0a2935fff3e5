/**
 * Loads one server with puts for a while and prints what came of it as JSON: a process of its own, so that a benchmark can
 * pin it to another core than the server. Started by benchmarks, with its plan as the one argument.
 */
import { type LoopResult, runClosedLoop } from "./closed-loop.ts";
import { HttpConnection, renderRequest } from "./http-connection.ts";
import { Latencies } from "./latency.ts";
import type { PutLoad, PutLoadReport } from "./put-load-plan.ts";

const JSON_TYPE = "Content-Type: application/json\r\n";

async function main(planText: string): Promise<void> {
  const plan = readPlan(planText);
  await run(plan, plan.warmSeconds);
  const results = await run(plan, plan.seconds);
  const latencies = new Latencies();
  for (const result of results) latencies.add(result.latencies);
  const sum = (read: (result: LoopResult) => number): number => results.reduce((total, one) => total + read(one), 0);
  const report: PutLoadReport = {
    putsPerSecond: sum(({ answered, seconds }) => answered / seconds),
    failed: sum(({ failed }) => failed),
    firstFailure: results.find(({ firstFailure }) => firstFailure !== null)?.firstFailure ?? null,
    latencyMs: latencies.summary(),
  };
  console.log(JSON.stringify(report));
}

async function run(plan: PutLoad, seconds: number): Promise<LoopResult[]> {
  const endMs = performance.now() + seconds * 1000;
  const connections = Array.from({ length: plan.connectionCount }, () => new HttpConnection(plan.host, plan.port));
  const results = await Promise.all(
    connections.map(async (connection) =>
      runClosedLoop({
        connection,
        next: () => (performance.now() < endMs ? randomPut(plan) : null),
        judge: ({ status }) => (status === 200 || status === 201 ? null : `status ${status}`),
        onAnswer: () => {},
      }),
    ),
  );
  for (const connection of connections) connection.close();
  return results;
}

/** A put of a random key: key and value are the same text for both servers. */
function randomPut(plan: PutLoad): Buffer {
  const key = `bench:${Math.floor(Math.random() * plan.keyCount)
    .toString()
    .padStart(10, "0")}`;
  const value = Math.random().toString(36).padEnd(plan.valueBytes, "x").slice(0, plan.valueBytes);
  const host = `${plan.host}:${plan.port}`;
  if (plan.server === "kv") {
    return renderRequest({ method: "PUT", target: `/v1/kv/${key}`, host, body: Buffer.from(value, "latin1") });
  }
  const body = JSON.stringify({ key: base64(key), value: base64(value) });
  return renderRequest({
    method: "POST",
    target: "/v3/kv/put",
    host,
    headers: JSON_TYPE,
    body: Buffer.from(body, "latin1"),
  });
}

function base64(text: string): string {
  return Buffer.from(text, "latin1").toString("base64");
}

function readPlan(text: string): PutLoad {
  const plan: unknown = JSON.parse(text);
  if (isPlan(plan)) return plan;
  throw new TypeError(`not a plan: ${text}`);
}

function isPlan(value: unknown): value is PutLoad {
  return typeof value === "object" && value !== null && "server" in value && "port" in value && "keyCount" in value;
}

await main(process.argv[2] ?? "");
