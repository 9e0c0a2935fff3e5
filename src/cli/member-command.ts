import type { Command } from "commander";
import { CONFIG_FILE_DEFAULT, parseNodeArgument } from "./cluster-access.ts";
import { UsageError } from "./usage-error.ts";

interface MemberOptions {
  readonly shard: string;
  readonly node: string;
  readonly configFile: string;
}

/** `kv member add|remove`: who belongs to a shard, in clusters with a coordinator. */
export function defineMember(program: Command): void {
  const command = program
    .command("member")
    .description("change who belongs to a shard, in a cluster with the embedded or etcd coordinator");
  const kinds = [
    ["add", "a node of the file becomes a member: it copies the data, then joins the in-sync set"],
    ["remove", "a replica leaves: the leader takes it out of the in-sync set and serves it no more"],
  ] as const;
  for (const [kind, description] of kinds) {
    command
      .command(kind)
      .description(description)
      .requiredOption("--shard <name>", "the shard")
      .requiredOption("--node <address>", "the member, as the file names it")
      .option("--config-file <file>", "the cluster's file", CONFIG_FILE_DEFAULT)
      .action(async (options: MemberOptions) => change(kind, options));
  }
}

async function change(kind: "add" | "remove", options: MemberOptions): Promise<void> {
  const { loadConfig } = await import("../server/config.ts");
  const { CoordinatorSession } = await import("./documents/coordinator-session.ts");
  const { changeMembers } = await import("./documents/change-members.ts");
  const config = loadConfig(options.configFile);
  const { topology, path } = config;
  const shard = topology.shardByName(options.shard);
  if (shard === undefined) {
    const names = topology.shards.map(({ name }) => name).join(", ");
    throw new UsageError(`--shard ${options.shard} is not in ${path}, which has ${names}`);
  }
  const node = parseNodeArgument("--node", options.node);
  const session = CoordinatorSession.open(config);
  try {
    const isChanged = await changeMembers(session, config, { kind, shard, node });
    const is = kind === "add" ? "is a member" : "is no member";
    console.log(`${node} ${is} of shard ${shard.name}${isChanged ? "" : " already"}`);
  } finally {
    session.close();
  }
}
