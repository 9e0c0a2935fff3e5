import { KvError } from "../model/errors.ts";
import { type ClusterConfig, loadConfig } from "../server/config.ts";
import { formatHostPort, parseHostPort } from "../server/node-address.ts";
import type { ClusterAccess } from "./cluster-client.ts";
import { UsageError } from "./usage-error.ts";

export const CONFIG_FILE_DEFAULT = "sharding.toml";

/** The options by which every client command finds the cluster. */
export interface AccessOptions {
  readonly node?: string | undefined;
  readonly configFile: string;
}

/**
 * The nodes to ask: the one that `--node` names and no other, else those of the configuration file in its order. Throws
 * UsageError for a malformed address, CONFIG_INVALID for a file that is missing or faulty.
 */
export function findCluster(options: AccessOptions): ClusterAccess {
  if (options.node !== undefined) return { nodes: [parseNodeArgument("--node", options.node)], source: "--node" };
  const config = loadConfigOfClient(options.configFile);
  return { nodes: config.topology.nodes.map(({ node }) => node), source: options.configFile };
}

/** An address as the user typed it, in the form in which nodes are named. A URL is taken for its authority. */
export function parseNodeArgument(option: string, text: string): string {
  const parsed = parseHostPort(text.replace(/^http:\/\//, "").replace(/\/$/, ""));
  if (typeof parsed === "string") throw new UsageError(`${option} ${text} ${parsed}`);
  return formatHostPort(parsed);
}

function loadConfigOfClient(path: string): ClusterConfig {
  try {
    return loadConfig(path);
  } catch (error) {
    if (!(error instanceof KvError)) throw error;
    // A file that is faulty is to be mended; only where there is none is a node asked for instead of it.
    if (!error.message.endsWith("--config-file")) throw error;
    throw new KvError("CONFIG_INVALID", `${error.message}, or a node with --node HOST:PORT`, { cause: error });
  }
}
