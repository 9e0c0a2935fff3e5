import type { Command } from "commander";
import { type HostPort, parseHostPort } from "../server/node-address.ts";
import { CONFIG_FILE_DEFAULT } from "./cluster-access.ts";
import { reportFailure } from "./failure-report.ts";
import { UsageError } from "./usage-error.ts";

interface CoordinatorOptions {
  readonly listen: string;
  readonly data: string;
  readonly insecure?: true;
}

interface RebuildCommandOptions {
  readonly force?: true;
  readonly configFile: string;
}

/** How long nodes may take to answer. */
const REBUILD_WAIT_MS = 5000;

/** `kv coordinator`: the process that keeps the cluster's documents, for clusters with `coordinator = "embedded"`. */
export function defineCoordinator(program: Command): void {
  const command = program
    .command("coordinator")
    .description("run the embedded coordinator: it keeps who leads which shard, durably, until Ctrl-C")
    .option("--listen <address>", "where nodes reach it (host:port)", "127.0.0.1:7100")
    .option("--data <directory>", "where it keeps its file; made when there is none", "data/coordinator")
    .option("--insecure", "listen on an address that other machines can reach")
    .action(async (options: CoordinatorOptions) => {
      const address = parseListen(options.listen);
      // As with `kv serve`: no other command needs what is behind this.
      const { runCoordinator } = await import("../server/run-coordinator.ts");
      try {
        await runCoordinator({ address, directory: options.data, isInsecure: options.insecure === true });
      } catch (error) {
        // The channel to `kv up`, once listened to, would keep a process that could not start from ending.
        process.exit(reportFailure("kv", error));
      }
    });
  command
    .command("rebuild")
    .description(
      "make the documents anew from what the nodes have seen, when the coordinator's data were lost or restored",
    )
    .option("--force", "go on without members that are gone for good: what only they held is given up")
    .option("--config-file <file>", "the cluster's file", CONFIG_FILE_DEFAULT)
    .action(rebuild);
}

async function rebuild(options: RebuildCommandOptions): Promise<void> {
  const { loadConfig } = await import("../server/config.ts");
  const { CoordinatorSession } = await import("./documents/coordinator-session.ts");
  const { rebuildDocuments } = await import("./documents/rebuild-documents.ts");
  const { describeMade } = await import("./documents/describe-made.ts");
  const config = loadConfig(options.configFile);
  const session = CoordinatorSession.open(config);
  try {
    const made = await rebuildDocuments(session, config, { forces: options.force === true, waitMs: REBUILD_WAIT_MS });
    const lines =
      made.length === 0 ? ["No node has seen newer documents than the coordinator has"] : describeMade(made);
    console.log(lines.join("\n"));
  } finally {
    session.close();
  }
}

function parseListen(text: string): HostPort {
  const address = parseHostPort(text);
  if (typeof address === "string") {
    throw new UsageError(`--listen ${text} ${address}; it is what [coordinator] endpoints says in the nodes' file`);
  }
  return address;
}
