import { KvError } from "../../model/errors.ts";
import { formatHostPort, type HostPort, parseHostPort } from "../../server/node-address.ts";

/** The shards of a cluster, as one of its nodes sees them. */
export interface ClusterLeaders {
  /** By the shard's index. */
  readonly names: readonly string[];
  /** null where no leader is known. */
  readonly leaders: readonly (HostPort | null)[];
}

const ASK_MS_MAX = 5000;

/** Asks nodes, one after the other, for `/v1/cluster`. Throws UNREACHABLE when none answers, PROTOCOL when it is no node. */
export async function askLeaders(nodes: readonly HostPort[]): Promise<ClusterLeaders> {
  let reason = "";
  for (const node of nodes) {
    const name = formatHostPort(node);
    try {
      const answer = await fetch(`http://${name}/v1/cluster`, { signal: AbortSignal.timeout(ASK_MS_MAX) });
      return readLeaders(name, await answer.json());
    } catch (error) {
      if (error instanceof KvError) throw error;
      reason = error instanceof Error ? error.message : String(error);
    }
  }
  const names = nodes.map(formatHostPort).join(", ");
  throw new KvError("UNREACHABLE", `no node tells who leads the shards (${reason}); asked: ${names}`);
}

function readLeaders(node: string, body: unknown): ClusterLeaders {
  const names: string[] = [];
  const leaders: (HostPort | null)[] = [];
  for (const { shard, index, leader } of shardsOf(node, body)) {
    const parsed = leader === null ? null : parseHostPort(leader);
    names[index] = shard;
    leaders[index] = typeof parsed === "string" ? null : parsed;
  }
  return { names, leaders };
}

interface ShardLine {
  readonly shard: string;
  readonly index: number;
  readonly leader: string | null;
}

function shardsOf(node: string, body: unknown): readonly ShardLine[] {
  const isObject = typeof body === "object" && body !== null && "shards" in body;
  const shards: unknown = isObject ? body.shards : null;
  if (Array.isArray(shards) && shards.length > 0 && shards.every(isShardLine)) return shards;
  throw new KvError("PROTOCOL", `${node} does not say what its shards are: is it a node of this database?`);
}

function isShardLine(line: unknown): line is ShardLine {
  if (typeof line !== "object" || line === null) return false;
  if (!("shard" in line && "index" in line && "leader" in line)) return false;
  return typeof line.shard === "string" && typeof line.index === "number" && isTextOrNull(line.leader);
}

function isTextOrNull(value: unknown): boolean {
  return value === null || typeof value === "string";
}
