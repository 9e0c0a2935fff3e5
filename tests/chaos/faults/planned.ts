import { setTimeout as sleep } from "node:timers/promises";
import type { TestNode } from "../../cluster/support/test-node.ts";
import type { ChaosRun } from "../chaos-run.ts";
import type { Fault } from "../fault.ts";

const WINDOW_MS = 2000;
const TIMEOUT_MS = 15_000;
/** Between two steps, so that what one costs is not counted as the other's. */
const REST_MS = 500;

/** The leadership handed to another member on purpose: no answer may be lost. */
export const handover: Fault = {
  kind: "handover",
  async inflict(run) {
    const shard = run.anyShard();
    const leader = await run.leader(shard);
    const successor = await run.replica(shard);
    await run.steady();
    const fromMs = performance.now();
    const answer = await fetch(`${leader.url}/v1/handover`, {
      method: "POST",
      headers: { "Content-Type": "application/json" },
      body: JSON.stringify({ shard, node: successor.name }),
      signal: AbortSignal.timeout(TIMEOUT_MS),
    });
    if (!answer.ok) throw new Error(`the handover was answered ${answer.status}: ${await answer.text()}`);
    await answer.body?.cancel();
    await measurePlanned(run, { what: "handover", shard, fromMs });
    if ((await run.leader(shard)) !== successor) throw new Error(`${successor.name} does not lead after the handover`);
    run.injected(this.kind);
  },
};

/** Every member of a shard stopped in order and started again, replicas first: no answer may be lost. */
export const rollingRestart: Fault = {
  kind: "rolling restart",
  async inflict(run) {
    const shard = run.anyShard();
    const leader = await run.leader(shard);
    const replicas = run.cluster.members(shard).filter((node) => node !== leader);
    await run.steady();
    for (const node of [...replicas, leader]) {
      await restart(run, node, node === leader ? "rolling restart, the leader" : "rolling restart, a replica");
      await run.whole();
      await sleep(REST_MS);
    }
    run.injected(this.kind);
  },
};

async function restart(run: ChaosRun, node: TestNode, what: string): Promise<void> {
  run.expectEnd(node);
  const fromMs = performance.now();
  const exitCode = await node.stop();
  if (exitCode !== 0) throw new Error(`${node.name} ended with ${exitCode} after SIGTERM`);
  await measurePlanned(run, { what, shard: node.shard, fromMs });
  run.start(node);
}

async function measurePlanned(run: ChaosRun, at: { what: string; shard: string; fromMs: number }): Promise<void> {
  const { what, shard, fromMs } = at;
  const toMs = performance.now() + WINDOW_MS;
  await sleep(WINDOW_MS);
  const { reads, writes } = run.load.log.counts({ fromMs, toMs }, shard);
  run.measure(`${what}: longest stall of writes, ms`, run.load.log.longestStallMs(shard, { fromMs, toMs }));
  run.measure(`${what}: refused operations, to be tried again`, reads.notApplied + writes.notApplied);
  run.measure(`${what}: operations without an answer`, reads.unknown + writes.unknown);
}
