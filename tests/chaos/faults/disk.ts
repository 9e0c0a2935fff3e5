import { randomBytes } from "node:crypto";
import { setTimeout as sleep } from "node:timers/promises";
import { keyOfText } from "../../../src/model/key.ts";
import { SystemCallFault } from "../../cluster/support/strace.ts";
import type { SmallDisk } from "../../cluster/support/small-disk.ts";
import type { TestNode } from "../../cluster/support/test-node.ts";
import type { ChaosRun } from "../chaos-run.ts";
import type { Fault } from "../fault.ts";

type Victim = "leader" | "replica";

const FULL_WAIT_MS = 60_000;
const LARGE_BYTES = 1_000_000;
const LARGE_TIMEOUT_MS = 1000;
const FULL_FOR_MS = 3000;
const REFUSALS_MIN = 20;
const LONG_MS = 10_000;

async function memberOf(run: ChaosRun, shard: string, victim: Victim): Promise<TestNode> {
  return victim === "leader" ? run.leader(shard) : run.replica(shard);
}

/** The disk of a member full, for as long as it takes until that is noticed, and three seconds more. */
export function diskFull(victim: Victim, diskOf: (node: TestNode) => SmallDisk): Fault {
  return {
    kind: `disk of the ${victim} full`,
    async inflict(run) {
      const shard = run.anyShard();
      const node = await memberOf(run, shard, victim);
      const disk = diskOf(node);
      await run.steady();
      const { pid } = node;
      disk.fill();
      await untilNoticed(run, shard, node, victim);
      await sleep(FULL_FOR_MS);
      const hasMoved = (await run.leader(shard)) !== node;
      run.injected(this.kind);
      const emptiedMs = performance.now();
      disk.empty();
      run.measure(
        `disk of the ${victim} has room again: next write acknowledged after, ms`,
        await run.recovery(shard, emptiedMs),
      );
      if (!node.isRunning || node.pid !== pid) throw new Error(`${node.name} did not survive its full disk`);
      if (victim === "leader") run.say(hasMoved ? "  the leadership had moved" : "  the leadership stayed");
    },
  };
}

/** What room was left is used up at once by large values, which nobody waits for. */
async function untilNoticed(run: ChaosRun, shard: string, node: TestNode, victim: Victim): Promise<void> {
  const { refusals } = run.load.traffic;
  const before = refusals.get("DISK_FULL") ?? 0;
  const keys = keysOf(run, shard);
  // The leader tells who counts; a full replica may be slow to say anything.
  const teller = await run.leader(shard);
  for (const endMs = performance.now() + FULL_WAIT_MS; performance.now() < endMs;) {
    await putLarge(teller, keys);
    if ((refusals.get("DISK_FULL") ?? 0) >= before + REFUSALS_MIN) return;
    const view = (await run.view(teller))?.find((one) => one.shard === shard);
    const member = view?.members.find((one) => one.node === node.name);
    if (typeof member?.read_only_reason === "string") return;
    if (victim === "leader" && (await run.leader(shard)) !== node) return;
    if (victim === "replica" && view !== undefined && !view.in_sync.includes(node.name)) return;
  }
  throw new Error(`the full disk of ${node.name} was not noticed`);
}

function keysOf(run: ChaosRun, shard: string): Generator<string> {
  const { topology } = run.cluster.config;
  return (function* keys(): Generator<string> {
    for (let count = 0; ; count++) {
      const key = `large:${count}`;
      if (topology.shardOfKey(keyOfText(key)).name === shard) yield key;
    }
  })();
}

async function putLarge(node: TestNode, keys: Generator<string>): Promise<void> {
  const { value: key } = keys.next() as IteratorYieldResult<string>;
  const body = randomBytes(LARGE_BYTES);
  try {
    const signal = AbortSignal.timeout(LARGE_TIMEOUT_MS);
    await (await fetch(`${node.url}/v1/kv/${key}`, { method: "PUT", body, signal })).body?.cancel();
  } catch {
    // Refused, or lost: the room is used up in any case.
  }
}

/** Every flush of a member takes so long. */
export function slowFlush(victim: Victim, delayMs: number, forMs: number): Fault {
  return {
    kind: `flushes of the ${victim} take ${delayMs} ms more`,
    isLong: forMs >= LONG_MS,
    async inflict(run) {
      const shard = run.anyShard();
      const node = await memberOf(run, shard, victim);
      await run.steady();
      const fromMs = performance.now();
      const fault = await SystemCallFault.inject(
        node.pid,
        `fdatasync:delay_enter=${delayMs * 1000}`,
        run.cluster.directory,
      );
      await sleep(forMs);
      const hits = await fault.detach();
      run.injected(this.kind);
      const span = { fromMs, toMs: performance.now() };
      run.say(`  ${hits} flushes delayed; longest stall ${run.load.log.longestStallMs(shard, span).toFixed(0)} ms`);
      await run.recovery(shard, performance.now());
    },
  };
}

/** A flush of a member fails: it ends, without another answer, and is started again. */
export function failingFlush(victim: Victim): Fault {
  return {
    kind: `a flush of the ${victim} fails`,
    async inflict(run) {
      const shard = run.anyShard();
      const node = await memberOf(run, shard, victim);
      await run.steady();
      run.expectEnd(node);
      const fault = await SystemCallFault.inject(node.pid, "fdatasync:error=EIO", run.cluster.directory);
      const exitCode = await node.exited();
      const fromMs = performance.now();
      await fault.detach();
      if (exitCode === 0) throw new Error(`${node.name} ended as if nothing had happened`);
      run.injected(this.kind);
      run.measure(
        `a flush of the ${victim} fails: next write acknowledged after, ms`,
        await run.recovery(shard, fromMs),
      );
      run.start(node);
    },
  };
}
