import { styleText } from "node:util";
import type { Command } from "commander";
import { KvError } from "../model/errors.ts";
import { CONFIG_FILE_DEFAULT, findCluster, parseNodeArgument } from "./cluster-access.ts";
import { ClusterClient, errorOf, jsonOf } from "./cluster-client.ts";
import { readPromotionReport } from "./cluster-report.ts";
import { CommandFailure } from "./command-failure.ts";
import { print } from "./command-options.ts";

interface HandoverOptions {
  readonly shard: string;
  /** The node that shall lead. */
  readonly node: string;
  readonly configFile: string;
  readonly json?: true;
}

const TIMEOUT_MS = 15_000;

/** `kv handover`: a planned change of leaders. */
export function defineHandover(program: Command): void {
  program
    .command("handover")
    .description("have the leader of a shard give the leadership to another in-sync member; clients hear no error")
    .requiredOption("--shard <name>", "the shard")
    .requiredOption("--node <address>", "the member that shall lead")
    .option("--config-file <file>", "where the cluster's nodes are listed", CONFIG_FILE_DEFAULT)
    .option("--json", "print what the node answered")
    .action(async (options: HandoverOptions) =>
      handOver({ ...options, node: parseNodeArgument("--node", options.node) }),
    );
}

async function handOver({ shard, node, configFile, json }: HandoverOptions): Promise<void> {
  const { nodes, source } = findCluster({ configFile });
  const client = new ClusterClient({ nodes: [node, ...nodes.filter((other) => other !== node)], source });
  try {
    const answer = await client
      .ask({
        method: "POST",
        path: "/v1/handover",
        headers: { "Content-Type": "application/json" },
        body: Buffer.from(JSON.stringify({ shard, node })),
        timeoutMs: TIMEOUT_MS,
        isRepeatable: false,
      })
      .catch((error: unknown) => {
        const isOpen = error instanceof KvError && error.code === "UNKNOWN_OUTCOME";
        if (!isOpen) throw error;
        throw new CommandFailure(
          `${error.message}: whether it leads now, kv status shows; it has to run for this to work`,
        );
      });
    if (answer.status !== 200) {
      const { code, message } = errorOf(answer);
      throw new KvError(code, message);
    }
    const report = readPromotionReport(jsonOf(answer));
    const { node: leader, shard: led, epoch, ledAlready } = report;
    const sentence = `${leader} leads ${led} ${ledAlready ? "already, " : ""}in epoch ${epoch}`;
    await print(`${json === true ? JSON.stringify(report) : styleText("green", sentence)}\n`);
  } finally {
    client.close();
  }
}
