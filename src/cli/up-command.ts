import type { Command } from "commander";
import { CONFIG_FILE_DEFAULT } from "./cluster-access.ts";
import type { UpOptions } from "./run-cluster.ts";

/** `kv up`: every node of the file on this machine, each as a process of its own. */
export function defineUp(program: Command): void {
  program
    .command("up")
    .description("start every node of the file on this machine, each as its own process, until Ctrl-C")
    .option("--config-file <file>", "the cluster's file", CONFIG_FILE_DEFAULT)
    .option("--data <directory>", "where the nodes keep their data", "data")
    .option("--fresh", "wipe the data first")
    .option("--no-restart", "leave a node that dies as it is")
    .option("--verbose", "show what the nodes say while they start, too")
    .action(async (options: UpOptions) => {
      // As with `kv serve`: the whole server is behind this.
      const { runCluster } = await import("./run-cluster.ts");
      process.exitCode = await runCluster(options);
    });
}
