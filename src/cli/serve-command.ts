import type { Command } from "commander";
import { reportFailure } from "./failure-report.ts";
import { CONFIG_FILE_DEFAULT } from "./cluster-access.ts";

interface ServeOptions {
  readonly shard: string;
  readonly replica?: true;
  readonly dbLocation: string;
  readonly httpAddr?: string;
  readonly configFile: string;
  readonly insecure?: true;
  readonly startedTogether?: true;
}

/** `kv serve`: one node; the options are the small system's. */
export function defineServe(program: Command): void {
  program
    .command("serve")
    .description("run one node of the file; `kv` without a command is the same, and -shard=… works like --shard …")
    .requiredOption("--shard <name>", "the node's shard")
    .requiredOption("--db-location <directory>", "where its data are; made when there is none")
    .option("--replica", "a replica of the shard; without --http-addr its only one")
    .option(
      "--http-addr <address>",
      "which node of the file this is; default: the shard's leader, or with --replica its replica",
    )
    .option("--config-file <file>", "the cluster's file", CONFIG_FILE_DEFAULT)
    .option("--insecure", "listen on addresses that other machines can reach, without a shared secret")
    // Set by `kv up`, which starts all nodes at once: each waits a little longer for the others.
    .addOption(program.createOption("--started-together").hideHelp())
    .action(async (options: ServeOptions) => {
      // Loaded here, because no other command needs a whole server, and each of them would wait for it.
      const { runNode } = await import("../server/run-node.ts");
      try {
        await runNode({
          shard: options.shard,
          isReplica: options.replica === true,
          httpAddress: options.httpAddr,
          configFile: options.configFile,
          directory: options.dbLocation,
          isInsecure: options.insecure === true,
          isStartedTogether: options.startedTogether === true,
        });
      } catch (error) {
        // The channel to `kv up`, once listened to, would keep a node that could not start from ending.
        process.exit(reportFailure("kv", error));
      }
    });
}
