import { readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { programCommand, RunningProgram } from "../../cluster/support/program.ts";
import type { TestNode } from "../../cluster/support/test-node.ts";
import type { ChaosRun } from "../chaos-run.ts";
import type { Fault } from "../fault.ts";

const ENDS_WITHIN_MS = 20_000;
const STRANGER_FOR_MS = 4000;

/** A member comes back with an empty directory: it is somebody else (D7), and copies everything. */
export function wiped(victim: "leader" | "replica"): Fault {
  return {
    kind: `directory of the ${victim} wiped`,
    async inflict(run) {
      const shard = run.anyShard();
      const node = victim === "leader" ? await run.leader(shard) : await run.replica(shard);
      await run.steady();
      const killedMs = await run.kill(node);
      rmSync(node.dataDirectory, { recursive: true });
      run.start(node);
      run.injected(this.kind);
      run.measure(
        `directory of the ${victim} wiped: next write acknowledged after, ms`,
        await run.recovery(shard, killedMs),
      );
    },
  };
}

/** Two members of a shard get each other's directory: both must refuse it. */
export const swapped: Fault = {
  kind: "directories of two members swapped",
  async inflict(run) {
    const shard = run.anyShard();
    const leader = await run.leader(shard);
    const other = await run.replica(shard);
    await run.steady();
    await run.kill(leader, other);
    swapDirectories(leader, other);
    for (const node of [leader, other]) {
      run.start(node);
      run.expectEnd(node);
    }
    for (const node of [leader, other]) await requireRefusal(node);
    run.injected(this.kind);
    swapDirectories(leader, other);
    for (const node of [leader, other]) run.start(node);
    await run.recovery(shard, performance.now());
  },
};

/** A second process on the directory of one that runs, and of one that stands still: it must end, and harm nobody. */
export const sharedDirectory: Fault = {
  kind: "two processes on one directory",
  async inflict(run) {
    const shard = run.anyShard();
    const leader = await run.leader(shard);
    await run.steady();
    await requireSecondEnds(run, leader);
    await run.pause(leader);
    await requireSecondEnds(run, leader);
    run.resume(leader);
    run.injected(this.kind);
    await run.recovery(shard, performance.now());
  },
};

/** A node of another cluster in the place of a replica: with its directory it is refused, with an empty one nobody counts it. */
export const wrongCluster: Fault = {
  kind: "a node of another cluster",
  async inflict(run) {
    const shard = run.anyShard();
    const replica = await run.replica(shard);
    await run.steady();
    const killedMs = await run.kill(replica);
    const configFile = join(run.cluster.directory, "other.toml");
    const text = readFileSync(run.cluster.configFile, "utf8");
    writeFileSync(configFile, text.replace('name = "chaos"', 'name = "other"'));
    const refused = serve(run, replica, { configFile, directory: replica.dataDirectory });
    await requireEnd(refused, "a node of another cluster");
    const directory = `${replica.dataDirectory}-other`;
    run.load.traffic.mayMeetStranger = true;
    const stranger = serve(run, replica, { configFile, directory });
    await sleep(STRANGER_FOR_MS);
    const view = (await run.view(await run.leader(shard)))?.find((one) => one.shard === shard);
    if (view?.in_sync.includes(replica.name) === true) throw new Error("a node of another cluster was counted");
    stranger.signal("SIGKILL");
    await stranger.exited;
    rmSync(directory, { recursive: true, force: true });
    run.injected(this.kind);
    await run.recovery(shard, killedMs);
    run.load.traffic.mayMeetStranger = false;
    run.start(replica);
  },
};

function swapDirectories(a: TestNode, b: TestNode): void {
  const aside = `${a.dataDirectory}-aside`;
  renameSync(a.dataDirectory, aside);
  renameSync(b.dataDirectory, a.dataDirectory);
  renameSync(aside, b.dataDirectory);
}

async function requireRefusal(node: TestNode): Promise<void> {
  const exitCode = await Promise.race([node.exited(), sleep(ENDS_WITHIN_MS, -1, { ref: false })]);
  if (exitCode === -1 || exitCode === 0) throw new Error(`${node.name} took somebody else's directory`);
}

async function requireSecondEnds(run: ChaosRun, node: TestNode): Promise<void> {
  const { configFile } = run.cluster;
  const second = serve(run, node, { configFile, directory: node.dataDirectory });
  await requireEnd(second, "a second process on a directory");
}

async function requireEnd(program: RunningProgram, what: string): Promise<void> {
  const exitCode = await Promise.race([program.exited, sleep(ENDS_WITHIN_MS, -1, { ref: false })]);
  if (exitCode !== -1 && exitCode !== 0 && exitCode !== null) return;
  program.signal("SIGKILL");
  throw new Error(`${what} was let in:\n${program.output}`);
}

function serve(
  run: ChaosRun,
  node: TestNode,
  { configFile, directory }: { configFile: string; directory: string },
): RunningProgram {
  const words = ["serve", "--shard", node.shard, "--http-addr", node.name, "--db-location", directory, "--replica"];
  const command = programCommand("src/cli/kv.ts", [...words, "--config-file", configFile]);
  const env = { KV_TOKEN_FILE: join(run.cluster.directory, "tokens.toml") };
  return new RunningProgram([...run.cluster.hostOf(node).wrapper, ...command], {
    env,
    withChannel: true,
    ownGroup: true,
  });
}
