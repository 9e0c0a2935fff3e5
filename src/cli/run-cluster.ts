import { networkInterfaces } from "node:os";
import { lookup } from "node:dns/promises";
import { flushCompileCache } from "node:module";
import { isIP } from "node:net";
import { relative } from "node:path";
import { styleText } from "node:util";
import { KvError } from "../model/errors.ts";
import type { NodeName } from "../model/position.ts";
import { type ClusterConfig, loadConfig } from "../server/config.ts";
import { parseHostPort } from "../server/node-address.ts";
import { checkAddresses } from "./address-check.ts";
import { ClusterOutput } from "./cluster-output.ts";
import { ClusterSupervisor } from "./cluster-supervisor.ts";
import { DataRoot } from "./data-root.ts";
import type { PlannedNode } from "./node-child.ts";
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
  const nodes = await planNodes(config, root);
  await checkAddresses(nodes.flatMap(({ node }) => listenedOn(config, node)));
  root.check();
  if (options.fresh === true) wipe(root);
  root.create();
  const output = new ClusterOutput(nodes, options.verbose === true);
  const supervisor = new ClusterSupervisor({ nodes, restarts: options.restart, output });
  const stopped = stopOnSignals(supervisor);
  try {
    // What this process has compiled is the nodes' program, too: written down now, they need not compile it again.
    flushCompileCache();
    supervisor.start();
    await supervisor.waitReady(WAITING_REPORT_MS, (waiting) => {
      console.log(["Still waiting for:", ...waiting.map((reason) => `  ${reason}`)].join("\n"));
    });
    output.showAll();
    if (!supervisor.isStopping) {
      console.log(readyText({ config, nodes, root, seconds: (performance.now() - startedAtMs) / 1000 }));
    }
  } catch (error) {
    await supervisor.stop();
    throw error;
  }
  return stopped;
}

/** The nodes of the file that belong on this machine. Throws CONFIG_INVALID when there is none. */
async function planNodes(config: ClusterConfig, root: DataRoot): Promise<PlannedNode[]> {
  const planned: PlannedNode[] = [];
  const elsewhere: NodeName[] = [];
  for (const shard of config.topology.shards) {
    for (const [index, { node }] of shard.members.entries()) {
      if (!(await isHere(node))) {
        elsewhere.push(node);
        continue;
      }
      const dataDirectory = root.directoryOf(shard.name, node);
      planned.push({ node, shard: shard.name, isReplica: index > 0, dataDirectory, configFile: config.path });
    }
  }
  if (planned.length === 0) {
    throw new KvError("CONFIG_INVALID", `${config.path}: no address of the file is on this machine`);
  }
  if (elsewhere.length > 0) {
    console.log(`Not on this machine, so not started: ${elsewhere.join(", ")}`);
  }
  return planned;
}

/** Loopback addresses count even where they must first be made: the check of addresses then says how. */
async function isHere(node: NodeName): Promise<boolean> {
  const parsed = parseHostPort(node);
  if (typeof parsed === "string") return false;
  const addresses = isIP(parsed.host) === 0 ? await addressesOf(parsed.host) : [parsed.host];
  const own = new Set(
    Object.values(networkInterfaces()).flatMap((found) => (found ?? []).map(({ address }) => address)),
  );
  return addresses.some((address) => address.startsWith("127.") || address === "::1" || own.has(address));
}

async function addressesOf(host: string): Promise<string[]> {
  try {
    return (await lookup(host, { all: true })).map(({ address }) => address);
  } catch {
    throw new KvError(
      "CONFIG_INVALID",
      `the host name ${host} is not known: add it to the hosts file, or use an address`,
    );
  }
}

function listenedOn(config: ClusterConfig, node: NodeName): string[] {
  const addresses = config.topology.addressesOf(node);
  return addresses === undefined ? [] : [addresses.node, addresses.peer];
}

function wipe(root: DataRoot): void {
  const left = root.wipe();
  console.log(`Wiped ${root.path}${left.length === 0 ? "" : `, but for what no node made: ${left.join(", ")}`}`);
}

/** The first signal stops the nodes in order, a later one kills them. Resolves with the exit code, once all are gone. */
async function stopOnSignals(supervisor: ClusterSupervisor): Promise<number> {
  let stoppedAtMs = 0;
  let isForced = false;
  await new Promise<void>((resolve) => {
    const onSignal = (): void => {
      if (!supervisor.isStopping) {
        stoppedAtMs = performance.now();
        console.log(`Stopping ${countOf(supervisor.nodeCount, "node")} (once more to kill them)`);
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

function readyText(parts: {
  config: ClusterConfig;
  nodes: readonly PlannedNode[];
  root: DataRoot;
  seconds: number;
}): string {
  const { config, nodes, root, seconds } = parts;
  const { shards } = config.topology;
  const rows = shards.map(({ name, members }) => [
    `  ${styleText("bold", name)}`,
    ...members.map(({ node }) => `http://${node}`),
  ]);
  const first = nodes[0]?.node ?? "";
  const last = nodes.at(-1)?.node ?? "";
  return [
    "",
    `${styleText("green", "Ready")}: ${countOf(nodes.length, "node")} of ${countOf(shards.length, "shard")} after ${seconds.toFixed(1)} s, data in ${relative(".", root.path) || "."}`,
    ...renderTable([["  SHARD", "LEADER OF THE FILE", "REPLICAS"].map((title) => styleText("dim", title)), ...rows]),
    "",
    "Any node answers any key. Try:",
    `  curl -X PUT --data 'hello' http://${first}/v1/kv/greeting`,
    `  curl http://${last}/v1/kv/greeting`,
    "",
    "Ctrl-C stops everything.",
  ].join("\n");
}
