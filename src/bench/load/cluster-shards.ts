import { KvError } from "../../model/errors.ts";
import { formatHostPort, type HostPort, parseHostPort } from "../../server/node-address.ts";

/** A shard, as one of the cluster's nodes sees it. */
export interface ClusterShard {
  readonly name: string;
  /** null where none is known. */
  readonly leader: HostPort | null;
  /** The leader included. */
  readonly members: readonly HostPort[];
}

const ASK_MS_MAX = 5000;

/**
 * Asks nodes, one after the other, for `/v1/cluster`; the shards come by their index. Throws UNREACHABLE when none answers,
 * PROTOCOL when it is no node.
 */
export async function askCluster(nodes: readonly HostPort[]): Promise<readonly ClusterShard[]> {
  let reason = "";
  for (const node of nodes) {
    const name = formatHostPort(node);
    try {
      const answer = await fetch(`http://${name}/v1/cluster`, { signal: AbortSignal.timeout(ASK_MS_MAX) });
      return readShards(name, await answer.json());
    } catch (error) {
      if (error instanceof KvError) throw error;
      reason = error instanceof Error ? error.message : String(error);
    }
  }
  const names = nodes.map(formatHostPort).join(", ");
  throw new KvError("UNREACHABLE", `no node tells who leads the shards (${reason}); asked: ${names}`);
}

interface ShardLine {
  readonly shard: string;
  readonly index: number;
  readonly leader: string | null;
  readonly members: readonly { readonly node: string }[];
}

function readShards(node: string, body: unknown): ClusterShard[] {
  const isObject = typeof body === "object" && body !== null && "shards" in body;
  const lines: unknown = isObject ? body.shards : null;
  if (!Array.isArray(lines) || lines.length === 0 || !lines.every(isShardLine)) {
    throw new KvError("PROTOCOL", `${node} does not say what its shards are: is it a node of this database?`);
  }
  const shards: ClusterShard[] = [];
  for (const { shard, index, leader, members } of lines) {
    shards[index] = {
      name: shard,
      leader: leader === null ? null : addressOf(leader),
      members: members.flatMap((member) => addressOf(member.node) ?? []),
    };
  }
  return shards;
}

function addressOf(text: string): HostPort | null {
  const parsed = parseHostPort(text);
  return typeof parsed === "string" ? null : parsed;
}

function isShardLine(line: unknown): line is ShardLine {
  if (typeof line !== "object" || line === null) return false;
  if (!("shard" in line && "index" in line && "leader" in line && "members" in line)) return false;
  const { shard, index, leader, members } = line;
  if (typeof shard !== "string" || typeof index !== "number") return false;
  return (leader === null || typeof leader === "string") && Array.isArray(members) && members.every(isMemberLine);
}

function isMemberLine(member: unknown): boolean {
  return typeof member === "object" && member !== null && "node" in member && typeof member.node === "string";
}
