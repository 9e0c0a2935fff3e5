import { setTimeout as sleep } from "node:timers/promises";
import { KvError } from "../../model/errors.ts";
import type { Leadership } from "../../model/leadership.ts";
import type { NodeName, StoreRef } from "../../model/position.ts";
import type { NodeAccount } from "../../node/gateway.ts";
import type { ClusterConfig } from "../../server/config.ts";
import { readCoordinatorKind, readRole } from "../cluster-report.ts";
import { jsonOf } from "../cluster-client.ts";
import type { JsonMembers } from "../json-members.ts";
import { NodeHttp } from "../node-http.ts";

/** What the nodes of a cluster said of themselves, and why the others said nothing; a sentence without its end. */
export interface NodeAccounts {
  readonly accounts: ReadonlyMap<NodeName, NodeAccount>;
  readonly missing: ReadonlyMap<NodeName, string>;
}

const ASK_MS_MAX = 2000;
const PAUSE_MS = 100;

/**
 * Asks every node of the file for its account until all have given one with a recovered log, `waitMs` at most. Throws
 * WRONG_CLUSTER when something else answers at a node's address: nothing may be decided by that.
 */
export async function collectAccounts(config: ClusterConfig, waitMs: number): Promise<NodeAccounts> {
  const http = new NodeHttp();
  const endMs = performance.now() + waitMs;
  const accounts = new Map<NodeName, NodeAccount>();
  const missing = new Map<NodeName, string>(config.topology.nodes.map(({ node }) => [node, "does not answer"]));
  try {
    for (;;) {
      await Promise.all(
        [...missing.keys()].map(async (node) => {
          const account = await accountOf(http, config, node);
          if (typeof account === "string") return void missing.set(node, account);
          missing.delete(node);
          accounts.set(node, account);
        }),
      );
      if (missing.size === 0 || performance.now() >= endMs) return { accounts, missing };
      await sleep(PAUSE_MS);
    }
  } finally {
    http.close();
  }
}

/** Reads the answer of `/v1/member`. Throws PROTOCOL. */
function readNodeAccount(members: JsonMembers): NodeAccount {
  return {
    cluster: members.text("cluster"),
    coordinator: readCoordinatorKind(members),
    clusterId: members.textOrNull("cluster_id"),
    shard: members.text("shard"),
    store: readStore(members.object("store")),
    seenEpoch: members.number("seen_epoch"),
    seenTerm: members.text("seen_term"),
    leadership: members.isNull("leadership") ? null : readLeadership(members.object("leadership")),
    role: readRole(members),
    complete: members.flag("complete"),
    recovered: members.flag("recovered"),
    inConflict: members.flag("in_conflict"),
    lastEpoch: members.number("last_epoch"),
    lastTerm: members.text("last_term"),
    lastSequence: members.number("last_sequence"),
  };
}

async function accountOf(http: NodeHttp, config: ClusterConfig, node: NodeName): Promise<NodeAccount | string> {
  let account: NodeAccount;
  try {
    const answer = await http.ask(node, { method: "GET", path: "/v1/member", timeoutMs: ASK_MS_MAX });
    account = readNodeAccount(jsonOf(answer));
  } catch (error) {
    if (!(error instanceof KvError)) throw error;
    return error.message.replace(`${node} `, "");
  }
  refuseStranger(config, node, account);
  return account.recovered ? account : "is still reading its log";
}

function refuseStranger({ path, coordinator, topology }: ClusterConfig, node: NodeName, account: NodeAccount): void {
  const shard = topology.shardOfNode(node)?.name ?? "";
  const isOurs = account.cluster === topology.cluster && account.shard === shard && account.store.node === node;
  if (!isOurs) {
    throw new KvError(
      "WRONG_CLUSTER",
      `${node} says that it is ${account.store.node} of shard ${account.shard} of cluster ${account.cluster}; by ${path} it is of shard ${shard} of cluster ${topology.cluster}`,
    );
  }
  if (account.coordinator === coordinator) return;
  throw new KvError(
    "WRONG_CLUSTER",
    `${node} runs with the ${account.coordinator} coordinator, ${path} says ${coordinator}: start it again with this file first`,
  );
}

function readStore(store: JsonMembers): StoreRef {
  return { node: store.text("node"), store: store.text("store"), generation: store.number("generation") };
}

function readLeadership(leadership: JsonMembers): Leadership {
  return {
    epoch: leadership.number("epoch"),
    term: leadership.text("term"),
    leader: readStore(leadership.object("leader")),
    lineage: leadership.number("lineage"),
    inSync: leadership.objects("in_sync", (member) => ({
      node: member.text("node"),
      store: member.textOrNull("store"),
      generation: member.number("generation"),
    })),
    setVersion: leadership.number("set_version"),
  };
}
