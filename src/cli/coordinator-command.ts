import type { Command } from "commander";
import { type HostPort, parseHostPort } from "../server/node-address.ts";
import { reportFailure } from "./failure-report.ts";
import { UsageError } from "./usage-error.ts";

interface CoordinatorOptions {
  readonly listen: string;
  readonly data: string;
  readonly insecure?: true;
}

/** `kv coordinator`: the process that keeps the cluster's documents, for clusters with `coordinator = "embedded"`. */
export function defineCoordinator(program: Command): void {
  program
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
}

function parseListen(text: string): HostPort {
  const address = parseHostPort(text);
  if (typeof address === "string") throw new UsageError(`--listen ${text} ${address}`);
  return address;
}
