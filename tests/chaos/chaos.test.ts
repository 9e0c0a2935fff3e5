import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { describe, test } from "node:test";
import { runProgram } from "../cluster/support/program.ts";
import { canMount } from "../cluster/support/small-disk.ts";
import { straceMissing } from "../cluster/support/strace.ts";
import { replayLine, runSeed } from "../support/run-seed.ts";
import { labMissing } from "./lab/enter-lab.ts";
import type { CoordinatorKind } from "./lab/lab-coordinator.ts";
import { SCENARIOS } from "./scenarios.ts";

/** Each kind of fault that is not long happens once at least, however short the time. */
const SECONDS = 10;
const TIMEOUT_MS = 240_000;
const SEED = runSeed();
const REPLAY = `to repeat it: ${replayLine(SEED, "tests/chaos/chaos.test.ts")}`;
const RUNS: readonly (readonly [scenario: string, coordinator: CoordinatorKind])[] = [
  ["crash", "embedded"],
  ["pause", "etcd3"],
  ["partition", "etcd1"],
  ["disk", "embedded"],
  ["identity", "embedded"],
  ["coordinator", "etcd3"],
];

function reasonToSkip(scenario: string, coordinator: CoordinatorKind): string | false {
  const { needsTracer = false, diskMb } = SCENARIOS.find(({ name }) => name === scenario) ?? {};
  const lab = labMissing();
  if (lab !== null) return lab;
  if (needsTracer && straceMissing() !== false) return straceMissing();
  if (diskMb !== undefined && !canMount()) return "mounting a small file system needs root";
  return coordinator !== "embedded" && !hasEtcd() ? "etcd is missing (Debian: apt-get install etcd-server)" : false;
}

function hasEtcd(): boolean {
  try {
    execFileSync("etcd", ["--version"], { stdio: "ignore" });
    return true;
  } catch {
    return false;
  }
}

// Labs do not meet: two at a time keep both processors of a small machine busy while faults take their time.
const AT_A_TIME = { concurrency: 2 };

describe(
  "real processes under real faults lose nothing that was acknowledged and show nothing stale",
  AT_A_TIME,
  () => {
    for (const [scenario, coordinator] of RUNS) {
      const title = SCENARIOS.find(({ name }) => name === scenario)?.title ?? "";
      const skip = reasonToSkip(scenario, coordinator);
      test(`${scenario}: ${title} (${coordinator})`, { timeout: TIMEOUT_MS + 10_000, skip }, async (t) => {
        const words = ["--scenario", scenario, "--coordinator", coordinator, "--seconds", String(SECONDS)];
        const options = { timeoutMs: TIMEOUT_MS };
        const result = await runProgram("tests/chaos/run-chaos.ts", [...words, "--seed", String(SEED)], options);
        assert.equal(result.exitCode, 0, `${result.stdout}${result.stderr}\n${REPLAY}`);
        assert.match(result.stdout, /operations linearizable, \d+ in the order of their logs; copies equal/);
        t.diagnostic(result.stdout);
      });
    }
  },
);
