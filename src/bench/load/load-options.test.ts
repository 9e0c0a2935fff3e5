import assert from "node:assert/strict";
import { test } from "node:test";
import { KvError } from "../../model/errors.ts";
import { type LoadOptions, loadPlanOf } from "./load-options.ts";
import type { LoadPlan } from "./load-plan.ts";

const RESP: ReadonlyMap<string, string> = new Map([["127.0.0.9:8080", "127.0.0.9:6379"]]);

test("what is not said has a sensible default", () => {
  const plan = planOf({});
  assert.deepEqual(plan.nodes, [{ host: "127.0.0.9", port: 8080 }]);
  const { connectionCount, pipeline, seconds, operationCount, distribution, keyCount, rate, seed } = plan;
  assert.deepEqual(
    { connectionCount, pipeline, seconds, operationCount, distribution, keyCount, rate, seed },
    {
      connectionCount: 16,
      pipeline: 1,
      seconds: 10,
      operationCount: null,
      distribution: "uniform",
      keyCount: 10_000,
      rate: null,
      seed: 77,
    },
  );
});

test("a workload brings its distribution, unless another is asked for", () => {
  assert.equal(planOf({ workload: "ycsb-a" }).distribution, "zipfian");
  assert.equal(planOf({ workload: "ycsb-d" }).distribution, "latest");
  assert.equal(planOf({ workload: "ycsb-a", distribution: "sequential" }).distribution, "sequential");
});

test("the RESP address of a node comes from the file unless a port is said, and only where it is needed", () => {
  assert.equal(planOf({ protocol: "resp" }).respAddresses, RESP);
  assert.equal(planOf({ protocol: "resp", respPort: "7000" }).respPort, 7000);
  assert.equal(planOf({}).respAddresses.size, 0);
  assert.equal(planOf({ protocol: "resp", respPort: "7000" }).respAddresses.size, 0);
});

test("several nodes are given comma separated, as addresses or as URLs", () => {
  assert.deepEqual(planOf({ addr: "127.0.0.2:8080, http://[::1]:9000/,host:1" }).nodes, [
    { host: "127.0.0.2", port: 8080 },
    { host: "::1", port: 9000 },
    { host: "host", port: 1 },
  ]);
});

test("every wrong option is named, with its value and what it should be", () => {
  const wrong: readonly (readonly [options: LoadOptions, message: RegExp])[] = [
    [{ addr: "nonsense" }, /^--addr nonsense must be host:port/],
    [{ addr: "127.0.0.2:8080," }, /^--addr {2}must be host:port/],
    [{ protocol: "grpc" }, /^--protocol grpc is none of http, resp$/],
    [{ workload: "ycsb-g" }, /^--workload ycsb-g is none of read, write, mixed, ycsb-a/],
    [{ distribution: "normal" }, /^--distribution normal is none of uniform/],
    [{ rate: "0" }, /^--rate 0 must be a number, more than 0 and at most/],
    [{ rate: "fast" }, /^--rate fast must be a number/],
    [{ duration: "-1" }, /^--duration -1 must be a number, more than 0/],
    [{ duration: "1e3" }, /^--duration 1e3 must/],
    [{ ops: "0" }, /^--ops 0 must be a whole number from 1/],
    [{ ops: "1.5" }, /^--ops 1\.5 must be a whole number/],
    [{ ops: "5", duration: "5" }, /^--duration and --ops exclude each other/],
    [{ warmup: "-3" }, /^--warmup -3 must be a number, at least 0/],
    [{ connections: "0" }, /^--connections 0 must/],
    [{ connections: "10001" }, /^--connections 10001 must be a whole number from 1 to 10000$/],
    [{ pipeline: "0" }, /^--pipeline 0 must/],
    [{ keys: "0" }, /^--keys 0 must/],
    [{ keys: "2000000000" }, /^--keys 2000000000 must be a whole number from 1 to 1000000000$/],
    [{ valueBytes: "16777217" }, /^--value-bytes 16777217 must be a whole number from 0 to 16777216$/],
    [{ theta: "1", workload: "ycsb-a" }, /^--theta 1 must be a number, more than 0 and less than 1$/],
    [{ theta: "0.5" }, /^--theta needs --distribution zipfian or latest$/],
    [{ readFraction: "0.5" }, /^--read-fraction needs --workload mixed$/],
    [{ readFraction: "1.1", workload: "mixed" }, /^--read-fraction 1\.1 must be a number, at least 0 and at most 1$/],
    [{ durability: "maybe" }, /^--durability maybe is none of async, in-sync$/],
    [{ durability: "async", protocol: "resp" }, /^--durability needs --protocol http/],
    [{ workload: "ycsb-e", protocol: "resp" }, /^--workload ycsb-e scans, which needs --protocol http/],
    [{ respPort: "6379" }, /^--resp-port needs --protocol resp$/],
    [{ respPort: "65536", protocol: "resp" }, /^--resp-port 65536 must be a whole number from 1 to 65535$/],
    [{ timeout: "0" }, /^--timeout 0 must/],
    [{ seed: "4294967296" }, /^--seed 4294967296 must/],
    [{ keyPrefix: "é".repeat(508) }, /^--key-prefix has 1016 bytes; 1014 are possible$/],
    [{ throughFailover: true, ops: "5" }, /^--through-failover needs --duration/],
    [{ throughFailover: true, load: true }, /^--through-failover writes all its keys by itself/],
    [{ throughFailover: true, workload: "ycsb-a" }, /^--through-failover has a workload of its own/],
    [{ throughFailover: true, direct: true }, /^--through-failover always sends keys to their leaders/],
    [{ throughFailover: true, warmup: "1" }, /^--through-failover measures from the beginning/],
    [{ throughFailover: true, distribution: "uniform" }, /^--through-failover goes through its keys/],
    [{ throughFailover: true, valueBytes: "20" }, /^--value-bytes 20 must be at least 27 with --through-failover/],
  ];
  for (const [options, message] of wrong) {
    assert.throws(
      () => planOf(options),
      (error) => error instanceof KvError && error.code === "INVALID_ARGUMENT" && message.test(error.message),
      JSON.stringify(options),
    );
  }
});

function planOf(options: LoadOptions): LoadPlan {
  return loadPlanOf(options, { node: () => "127.0.0.9:8080", respAddresses: () => RESP, seed: 77 });
}
