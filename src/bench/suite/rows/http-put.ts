import { alternate } from "../alternate.ts";
import { LOAD_CORE, SERVER_CORE } from "../cores.ts";
import { KvCluster } from "../kv-cluster.ts";
import { EtcdPeer } from "../peers/etcd-peer.ts";
import { benchKey } from "../preload.ts";
import { defineRow, type Row, type RowOutcome } from "../row.ts";
import { ServerUse, type UsingCpu } from "../server-use.ts";
import type { Workbench } from "../workbench.ts";
import { type HttpRequest, runWrk } from "../wrk.ts";

interface Plan {
  readonly rounds: number;
  readonly seconds: number;
}

const KEY_COUNT = 10_000;
const VALUE = "x".repeat(64);
const CONNECTIONS = 64;

/** P6: durable puts over HTTP, against etcd's HTTP gateway. */
export const HTTP_PUT: Row = defineRow<Plan>({
  id: "P6",
  name: "HTTP PUT, durable",
  what: "HTTP PUT, durable, vs etcd's HTTP gateway put",
  needs: ["wrk", "etcd"],
  full: { rounds: 5, seconds: 10 },
  quick: { rounds: 1, seconds: 1 },
  measure,
});

async function measure(bench: Workbench, plan: Plan): Promise<RowOutcome> {
  const cluster = await KvCluster.start(bench, { core: SERVER_CORE });
  const etcd = await EtcdPeer.start(bench, SERVER_CORE);
  const keys = Array.from({ length: KEY_COUNT }, (_, index) => benchKey(index));
  const use = new ServerUse();
  const rate = async (
    { name, server, port }: { readonly name: string; readonly server: UsingCpu; readonly port: number },
    requests: readonly HttpRequest[],
  ): Promise<number> => {
    const load = { port, connectionCount: CONNECTIONS, requests, core: LOAD_CORE };
    const { opsPerSecond } = await use.during(name, server, async () => runWrk(bench, load, plan.seconds));
    return opsPerSecond;
  };
  const puts = keys.map((key) => ({ method: "PUT", path: `/v1/kv/${key}`, body: VALUE }));
  const gatewayPuts = keys.map((key) => ({
    method: "POST",
    path: "/v3/kv/put",
    // The gateway takes bytes as base64.
    body: JSON.stringify({ key: btoa(key), value: btoa(VALUE) }),
  }));
  const figure = await alternate(
    { label: "", direction: "at least", unit: "×", bar: 5, reach: 10 },
    {
      rounds: plan.rounds,
      say: (line) => bench.say(line),
      subject: {
        name: "kv",
        unit: "ops/s",
        measure: async () => {
          const before = await cluster.first.metrics();
          const result = await rate({ name: "kv", server: cluster.first, port: cluster.first.httpPort }, puts);
          const after = await cluster.first.metrics();
          const logged = after.value("kv_shard_durable_sequence") - before.value("kv_shard_durable_sequence");
          if (logged < result * plan.seconds * 0.9) throw new Error(`only ${logged} entries are in the log`);
          await cluster.waitDrained();
          return result;
        },
      },
      peer: {
        name: "etcd",
        unit: "ops/s",
        measure: async () => rate({ name: "etcd", server: etcd, port: etcd.port }, gatewayPuts),
      },
    },
  );
  return { figures: [figure], faults: [], notes: use.notes() };
}
