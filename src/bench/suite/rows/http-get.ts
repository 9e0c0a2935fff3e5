import { fileURLToPath } from "node:url";
import { alternate } from "../alternate.ts";
import { HOST, LOAD_CORE, SERVER_CORE } from "../cores.ts";
import { findFreePorts } from "../free-ports.ts";
import { KvCluster } from "../kv-cluster.ts";
import { benchKey, preload } from "../preload.ts";
import { defineRow, type Row, type RowOutcome } from "../row.ts";
import { ServerUse, type UsingCpu } from "../server-use.ts";
import { waitUntil } from "../wait-until.ts";
import type { Workbench } from "../workbench.ts";
import { runWrk } from "../wrk.ts";

interface Plan {
  readonly rounds: number;
  readonly seconds: number;
}

const KEY_COUNT = 10_000;
const VALUE_BYTES = 64;
const CONNECTIONS = 64;

/** P5: what a key costs over HTTP, against what `node:http` costs when there is nothing to do. */
export const HTTP_GET: Row = defineRow<Plan>({
  id: "P5",
  name: "HTTP GET",
  what: "HTTP GET of a key, vs an empty node:http server answering a constant",
  needs: ["wrk"],
  full: { rounds: 5, seconds: 10 },
  quick: { rounds: 1, seconds: 1 },
  measure,
});

async function measure(bench: Workbench, plan: Plan): Promise<RowOutcome> {
  const cluster = await KvCluster.start(bench, { core: SERVER_CORE });
  await preload(cluster.first.respPort, { keyCount: KEY_COUNT, valueBytes: VALUE_BYTES });
  await cluster.waitDrained();
  const constant = await startConstantServer(bench);
  const requests = Array.from({ length: KEY_COUNT }, (_, index) => ({
    method: "GET",
    path: `/v1/kv/${benchKey(index)}`,
    body: "",
  }));
  const use = new ServerUse();
  const rate = async (name: string, server: UsingCpu, port: number): Promise<number> => {
    const load = { port, connectionCount: CONNECTIONS, requests, core: LOAD_CORE };
    const { opsPerSecond } = await use.during(name, server, async () => runWrk(bench, load, plan.seconds));
    return opsPerSecond;
  };
  const figure = await alternate(
    { label: "", direction: "at least", unit: "×", bar: 1.7, reach: 2 },
    {
      rounds: plan.rounds,
      say: (line) => bench.say(line),
      subject: { name: "kv", unit: "ops/s", measure: async () => rate("kv", cluster.first, cluster.first.httpPort) },
      peer: {
        name: "empty node:http",
        unit: "ops/s",
        measure: async () => rate("node:http", constant.server, constant.port),
      },
    },
  );
  return { figures: [figure], faults: [], notes: use.notes() };
}

async function startConstantServer(bench: Workbench): Promise<{ readonly port: number; readonly server: UsingCpu }> {
  const port = await findFreePorts([0]);
  const program = fileURLToPath(new URL("../peers/constant-server.ts", import.meta.url));
  const started = bench.start({
    name: "node:http",
    program: process.execPath,
    parameters: [...process.execArgv, program, String(port), String(VALUE_BYTES)],
    core: SERVER_CORE,
  });
  await waitUntil("the empty server answers", { seconds: 10 }, async () => {
    if (!started.isRunning) throw new Error(started.lastWords);
    const response = await fetch(`http://${HOST}:${port}/`);
    return (await response.text()).length === VALUE_BYTES;
  });
  return { port, server: started };
}
