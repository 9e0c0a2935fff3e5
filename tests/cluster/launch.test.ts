import assert from "node:assert/strict";
import { join } from "node:path";
import { test, type TestContext } from "node:test";
import { fileURLToPath } from "node:url";
import { TestCluster } from "./support/cluster.ts";
import { eventually, requireEqualCopies } from "./support/copies.ts";
import { RunningProgram } from "./support/program.ts";
import { Traffic } from "./support/traffic.ts";

const LAUNCH = fileURLToPath(new URL("../../launch.sh", import.meta.url));
/** The bar of 5 s is for a machine that does nothing else; a start that takes this long is broken on any. */
const START_MS_MAX = 30_000;

interface Launched {
  readonly program: RunningProgram;
  readonly readyMs: number;
}

/** `./launch.sh` as a terminal runs it: with a process group that Ctrl-C goes to. */
async function launch(t: TestContext, cluster: TestCluster): Promise<Launched> {
  const words = ["--config-file", cluster.configFile, "--data", join(cluster.directory, "data")];
  const startedMs = performance.now();
  const program = new RunningProgram([LAUNCH, ...words], { ownGroup: true });
  t.after(() => program.signal("SIGKILL"));
  await program.waitFor("Ctrl-C stops everything", START_MS_MAX);
  return { program, readyMs: performance.now() - startedMs };
}

test("what was written to ./launch.sh's eight nodes survives Ctrl-C under load and the next start", async (t) => {
  // As in the file that is shipped.
  const cluster = await TestCluster.create({ shardCount: 4, coordinator: "embedded", replication: "in-sync" });
  t.after(async () => cluster.dispose());
  const addresses = cluster.nodes.map((node) => node.name);
  const first = await launch(t, cluster);
  const traffic = Traffic.start(t, { addresses, seed: 5 });
  await traffic.reach(100);
  const stoppedMs = performance.now();
  first.program.signal("SIGINT");
  assert.equal(await first.program.exited, 0, first.program.output);
  const stopMs = performance.now() - stoppedMs;
  await traffic.stop();

  const second = await launch(t, cluster);
  const { acknowledged, refused } = await traffic.finishWell(addresses.at(-1) ?? "");
  assert(acknowledged > 30);
  await eventually("the copies are equal", async () => (await requireEqualCopies(cluster)).length === 8 || undefined);
  second.program.signal("SIGINT");
  assert.equal(await second.program.exited, 0, second.program.output);
  t.diagnostic(
    `first start ${first.readyMs.toFixed(0)} ms, stop under load ${stopMs.toFixed(0)} ms, second start ${second.readyMs.toFixed(0)} ms; ` +
      `${acknowledged} acknowledged, ${refused} refused, 0 missing`,
  );
});
