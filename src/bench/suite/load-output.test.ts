import assert from "node:assert/strict";
import { test } from "node:test";
import { readClientFigures } from "./benchclient.ts";
import { readCsv } from "./redis-benchmark.ts";
import { readWrkResult } from "./wrk.ts";

const CSV_HEAD =
  '"test","rps","avg_latency_ms","min_latency_ms","p50_latency_ms","p95_latency_ms","p99_latency_ms","max_latency_ms"';

test("the figures of redis-benchmark are found by the names of its columns", () => {
  const printed = `${CSV_HEAD}\n"SET","46511.63","1.323","0.392","1.271","1.735","2.519","4.447"\n`;
  assert.deepEqual(readCsv(printed), { rps: 46_511.63, p50: 1.271, p99: 2.519 });
});

test("whatever else redis-benchmark prints makes its run void", () => {
  const row = '"SET","46511.63","1.323","0.392","1.271","1.735","2.519","4.447"';
  assert.throws(() => readCsv(`Error from server: ERR no\n${CSV_HEAD}\n${row}\n`), /redis-benchmark printed/);
  assert.throws(() => readCsv(`${CSV_HEAD}\n${row}\nError from server\n`), /redis-benchmark printed/);
  assert.throws(() => readCsv(`${CSV_HEAD}\n"SET","0.00","0","0","0","0","0","0"\n`), /redis-benchmark printed/);
  assert.throws(() => readCsv(""), /redis-benchmark printed/);
});

test("a run of wrk counts by its own duration, and not at all with a failed request", () => {
  const result = { requests: 30_000, microseconds: 1_500_000, failed: 0, refused: 0, p50: 900, p99: 2100 };
  const printed = (changes: object): string => `Running\nRESULT ${JSON.stringify({ ...result, ...changes })}\n`;
  assert.deepEqual(readWrkResult(printed({})), {
    opsPerSecond: 20_000,
    seconds: 1.5,
    operations: 30_000,
    p50Ms: 0.9,
    p99Ms: 2.1,
  });
  assert.throws(() => readWrkResult(printed({ refused: 1 })), /1 were answered with an error/);
  assert.throws(() => readWrkResult(printed({ failed: 2 })), /2 failed/);
  assert.throws(() => readWrkResult(printed({ requests: 0 })), /of 0 HTTP requests/);
  assert.throws(() => readWrkResult("unable to connect"), /wrk printed/);
});

test("a run of benchclient with failed operations is void", () => {
  const report = { opsPerSecond: 10, count: 100, failed: 0, latencyMs: { p99: 3 }, lateMs: { p99: 0.5 } };
  assert.deepEqual(readClientFigures(JSON.stringify(report)), {
    opsPerSecond: 10,
    count: 100,
    p99Ms: 3,
    lateP99Ms: 0.5,
  });
  const failed = JSON.stringify({ ...report, failed: 2, firstFailure: "no answer" });
  assert.throws(() => readClientFigures(failed), /2 operations failed, the first: no answer/);
  assert.throws(() => readClientFigures("benchclient: no node answers"), /printed/);
  assert.throws(() => readClientFigures("{}"), /told no failed/);
});
