import { setTimeout as sleep } from "node:timers/promises";
import type { ChaosRun } from "../chaos-run.ts";
import type { Fault } from "../fault.ts";
import type { TestNode } from "../../cluster/support/test-node.ts";

const LONG_MS = 10_000;
const FOLLOW_POLL_MS = 20;
const FOLLOW_WAIT_MS = 30_000;
const ATTEMPTS_MAX = 3;

/** SIGSTOP of a member for a while: it stands still between any two instructions, and knows nothing of it. */
export function pause(victim: "leader" | "replica", pauseMs: number): Fault {
  return {
    kind: `SIGSTOP of the ${victim} for ${pauseMs} ms`,
    isLong: pauseMs >= LONG_MS,
    async inflict(run) {
      const shard = run.anyShard();
      const node = victim === "leader" ? await run.leader(shard) : await run.replica(shard);
      await run.steady();
      const pausedMs = await run.pause(node);
      await sleep(pauseMs);
      run.resume(node);
      const resumedMs = performance.now();
      run.injected(this.kind);
      await run.recovery(shard, pausedMs);
      if (victim === "replica") {
        const span = { fromMs: pausedMs, toMs: resumedMs };
        run.measure("replica silent: longest stall of writes, ms", run.load.log.longestStallMs(shard, span));
      } else if (pauseMs >= LONG_MS) {
        run.measure("leader paused for long: follows after its wake, ms", await followsAfter(run, node, resumedMs));
      }
    },
  };
}

/** SIGSTOP of the process of the coordinator that decides. */
export function pauseCoordinator(pauseMs: number): Fault {
  return {
    kind: `SIGSTOP of the coordinator's leader for ${pauseMs} ms`,
    isLong: pauseMs >= LONG_MS,
    async inflict(run) {
      const { coordinator } = run.cluster;
      await requireUndisturbed(run, async () => {
        const index = await coordinator.findLeader();
        coordinator.signal(index, "SIGSTOP");
        await sleep(pauseMs);
        coordinator.signal(index, "SIGCONT");
        run.injected(this.kind);
      });
    },
  };
}

/**
 * The data path does not wait for the coordinator: while only that is away, nothing may fail, and nobody may change its role. `isAway`
 * takes it away for a while, `isBack` brings it back where that has to be done. In a short run, which shares its processors
 * with others, it is tried again: a machine that stood still disturbs once, a coordinator that is waited for does so every time.
 */
export async function requireUndisturbed(
  run: ChaosRun,
  isAway: () => Promise<void>,
  isBack: () => Promise<void> = async () => {},
): Promise<void> {
  for (let attempt = 1; ; attempt++) {
    await run.steady();
    const epochs = await run.epochs();
    const fromMs = performance.now();
    await isAway();
    const fault = disturbance(run, { fromMs, epochs, now: await run.epochs() });
    await isBack();
    if (fault === null) return;
    if (run.isLong || attempt === ATTEMPTS_MAX) throw new Error(fault);
    run.say(`  ${fault}; once more`);
    await run.whole();
  }
}

function disturbance(run: ChaosRun, at: { fromMs: number; epochs: string; now: string }): string | null {
  const { fromMs, epochs, now } = at;
  const { reads, writes } = run.load.log.counts({ fromMs, toMs: performance.now() });
  const failed = reads.notApplied + reads.unknown + writes.notApplied + writes.unknown;
  run.measure("coordinator away: failed operations", failed);
  if (failed > 0) return `${failed} operations failed while only the coordinator was away`;
  return now === epochs ? null : `roles changed while only the coordinator was away: ${epochs} → ${now}`;
}

async function followsAfter(run: ChaosRun, node: TestNode, resumedMs: number): Promise<number> {
  for (const endMs = performance.now() + FOLLOW_WAIT_MS; performance.now() < endMs;) {
    const shard = (await run.view(node))?.find((one) => one.shard === node.shard);
    const member = shard?.members.find((one) => one.node === node.name);
    if (member?.role === "replica") return performance.now() - resumedMs;
    await sleep(FOLLOW_POLL_MS);
  }
  throw new Error(`${node.name} did not follow after its wake`);
}
