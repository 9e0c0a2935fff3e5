import { setTimeout as sleep } from "node:timers/promises";
import { RunningProgram } from "../../cluster/support/program.ts";
import type { Fault } from "../fault.ts";

const FOR_MS = 6000;
const STALL_WINDOW_MS = 2000;

/** A leader dies and comes back, as a member with so few file descriptors that not all of its clients can connect. */
export function fewDescriptors(count: number): Fault {
  return {
    kind: `a member with ${count} file descriptors`,
    async inflict(run) {
      const shard = run.anyShard();
      const node = await run.leader(shard);
      await run.steady();
      const killedMs = await run.kill(node);
      run.start(node, { wrapper: ["prlimit", `--nofile=${count}`] });
      await run.recovery(shard, killedMs);
      await sleep(FOR_MS);
      run.requireExpected();
      run.injected(this.kind);
      await run.kill(node);
      run.start(node);
      await run.recovery(shard, performance.now());
    },
  };
}

/** Other programs take all processors for a while. */
export function busyNeighbours(count: number): Fault {
  return {
    kind: `${count} busy neighbours`,
    async inflict(run) {
      const shard = run.anyShard();
      await run.steady();
      const epochs = await run.epochs();
      const { wrapper } = run.cluster.network.clients;
      const busy = Array.from(
        { length: count },
        () => new RunningProgram([...wrapper, "sh", "-c", "while :; do :; done"], {}),
      );
      const fromMs = performance.now();
      await sleep(FOR_MS);
      for (const program of busy) program.signal("SIGKILL");
      await Promise.all(busy.map(async (program) => program.exited));
      run.injected(this.kind);
      await run.recovery(shard, performance.now());
      const span = { fromMs, toMs: fromMs + FOR_MS + STALL_WINDOW_MS };
      run.measure("busy neighbours: longest stall of writes, ms", run.load.log.longestStallMs(shard, span));
      run.say(`  ${(await run.epochs()) === epochs ? "no leadership changed" : "a leadership changed"}`);
    },
  };
}
