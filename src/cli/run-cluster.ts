import { flushCompileCache } from "node:module";
import { relative } from "node:path";
import { styleText } from "node:util";
import { type ClusterConfig, loadConfig } from "../server/config.ts";
import { formatHostPort } from "../server/node-address.ts";
import { checkAddresses } from "./address-check.ts";
import { ClusterOutput } from "./cluster-output.ts";
import { type ClusterPlan, planCluster } from "./cluster-plan.ts";
import { ClusterSupervisor } from "./cluster-supervisor.ts";
import { DataRoot } from "./data-root.ts";
import { makeDocumentsAtStart } from "./documents/first-start.ts";
import { countOf } from "./quantities.ts";
import { renderTable } from "./text-table.ts";

/** The options of `kv up`. */
export interface UpOptions {
  readonly configFile: string;
  readonly data: string;
  readonly fresh?: true;
  readonly verbose?: true;
  /** commander's negated option: `--no-restart` makes it false. */
  readonly restart: boolean;
}

const WAITING_REPORT_MS = 10_000;
/** Wrappers and terminals may deliver one Ctrl-C twice. */
const SAME_SIGNAL_MS = 500;

/** Runs the cluster until it is told to stop; resolves with the exit code. Throws KvError when it cannot start. */
export async function runCluster(options: UpOptions): Promise<number> {
  const startedAtMs = performance.now();
  const config = loadConfig(options.configFile);
  const root = new DataRoot(options.data, config.topology.cluster);
  const plan = await planCluster(config, root);
  if (plan.elsewhere.length > 0) console.log(`Not on this machine, so not started: ${plan.elsewhere.join(", ")}`);
  await checkAddresses(plan.addresses);
  root.check();
  if (options.fresh === true) wipe(root);
  root.create();
  const processes = plan.coordinator === null ? plan.nodes : [plan.coordinator, ...plan.nodes];
  const output = new ClusterOutput(processes, options.verbose === true);
  const supervisor = new ClusterSupervisor({ processes, restarts: options.restart, output });
  const stopped = stopOnSignals(supervisor, plan);
  try {
    // What this process has compiled is the nodes' program, too: written down now, they need not compile it again.
    flushCompileCache();
    supervisor.start();
    const ready = supervisor.waitReady(WAITING_REPORT_MS, (waiting) => {
      console.log(["Still waiting for:", ...waiting.map((reason) => `  ${reason}`)].join("\n"));
    });
    const isOver = (): boolean => supervisor.isStopping;
    const documents =
      config.coordinator === "static"
        ? null
        : makeDocumentsAtStart({ config, isOver, say: (line) => console.log(line) });
    await Promise.all([ready, documents]);
    output.showAll();
    if (!supervisor.isStopping) {
      console.log(readyText({ config, plan, root, seconds: (performance.now() - startedAtMs) / 1000 }));
    }
  } catch (error) {
    await supervisor.stop();
    throw error;
  }
  return stopped;
}

function wipe(root: DataRoot): void {
  const left = root.wipe();
  console.log(`Wiped ${root.path}${left.length === 0 ? "" : `, but for what no node made: ${left.join(", ")}`}`);
}

/** The first signal stops the nodes in order, a later one kills them. Resolves with the exit code, once all are gone. */
async function stopOnSignals(supervisor: ClusterSupervisor, plan: ClusterPlan): Promise<number> {
  let stoppedAtMs = 0;
  let isForced = false;
  await new Promise<void>((resolve) => {
    const onSignal = (): void => {
      if (!supervisor.isStopping) {
        stoppedAtMs = performance.now();
        console.log(`Stopping ${countOf(plan.nodes.length, "node")} (once more to kill them)`);
        resolve();
      } else if (!isForced && performance.now() - stoppedAtMs > SAME_SIGNAL_MS) {
        isForced = true;
        supervisor.kill();
      }
    };
    for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) process.on(signal, onSignal);
  });
  await supervisor.stop();
  console.log("Stopped");
  return isForced ? 1 : 0;
}

function readyText(parts: { config: ClusterConfig; plan: ClusterPlan; root: DataRoot; seconds: number }): string {
  const { config, plan, root, seconds } = parts;
  const { nodes } = plan;
  const { shards } = config.topology;
  const rows = shards.map(({ name, members }) => [
    `  ${styleText("bold", name)}`,
    ...members.map(({ node }) => `http://${node}`),
  ]);
  const first = nodes[0]?.name ?? "";
  const last = nodes.at(-1)?.name ?? "";
  return [
    "",
    `${styleText("green", "Ready")}: ${countOf(nodes.length, "node")} of ${countOf(shards.length, "shard")} after ${seconds.toFixed(1)} s, data in ${relative(".", root.path) || "."}`,
    failoverLine(config, plan),
    ...renderTable([["  SHARD", "LEADER OF THE FILE", "REPLICAS"].map((title) => styleText("dim", title)), ...rows]),
    "",
    "Any node answers any key. Try:",
    `  curl -X PUT --data 'hello' http://${first}/v1/kv/greeting`,
    `  curl http://${last}/v1/kv/greeting`,
    "",
    "Ctrl-C stops everything.",
  ].join("\n");
}

/** Who arbitrates, and what follows for whoever watches a leader die. */
function failoverLine({ coordinator, coordinatorSettings }: ClusterConfig, plan: ClusterPlan): string {
  if (coordinator === "static") return "Static topology: when a leader is gone for good, promote a replica";
  const endpoints = coordinatorSettings?.endpoints.map(({ host, port }) => formatHostPort({ host, port })) ?? [];
  const whose = coordinator === "embedded" && plan.coordinator === null ? " (on another machine)" : "";
  return `Coordinator: ${coordinator} on ${endpoints.join(", ")}${whose}; when a leader dies, a replica takes over by itself`;
}
