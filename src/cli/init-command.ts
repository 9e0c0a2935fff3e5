import type { Command } from "commander";
import { CONFIG_FILE_DEFAULT } from "./cluster-access.ts";

interface InitOptions {
  readonly adopt?: true;
  readonly configFile: string;
}

/** How long nodes that were just started may take to answer. */
const WAIT_MS = 10_000;

/** `kv init`: the documents of a cluster with a coordinator, once. */
export function defineInit(program: Command): void {
  program
    .command("init")
    .description("make a cluster's documents at its embedded or etcd coordinator; `kv up` does it by itself")
    .option("--adopt", "take over data that the nodes hold from static mode")
    .option("--config-file <file>", "the cluster's file", CONFIG_FILE_DEFAULT)
    .action(async (options: InitOptions) => {
      // As with `kv serve`: few commands need what is behind this.
      const { loadConfig } = await import("../server/config.ts");
      const { CoordinatorSession } = await import("./documents/coordinator-session.ts");
      const { makeDocuments } = await import("./documents/make-documents.ts");
      const { describeMade } = await import("./documents/describe-made.ts");
      const config = loadConfig(options.configFile);
      const session = CoordinatorSession.open(config);
      try {
        const made = await makeDocuments(session, config, { adopts: options.adopt === true, waitMs: WAIT_MS });
        const { cluster } = config.topology;
        const lines = made.length === 0 ? [`Cluster ${cluster} has its documents already`] : describeMade(made);
        console.log(lines.join("\n"));
      } finally {
        session.close();
      }
    });
}
