import { setTimeout as sleep } from "node:timers/promises";
import type { Command } from "commander";
import { KvError } from "../model/errors.ts";
import type { ClusterClient } from "./cluster-client.ts";
import { readClusterStatus } from "./cluster-report.ts";
import { addClientOptions, type ClientOptions, print, withClient } from "./command-options.ts";
import type { JsonMembers } from "./json-members.ts";
import { renderStatus } from "./status-table.ts";

interface StatusOptions extends ClientOptions {
  readonly watch?: true;
  readonly json?: true;
}

const WATCH_MS = 1000;
/** Cursor to the top left, then nothing below what was drawn. */
const REDRAW_START = "\u001b[H";
const REDRAW_END = "\u001b[J";

/** `kv status`: shards, leaders, in-sync sets, lag, keys, bytes, rates, imbalance. */
export function defineStatus(program: Command): void {
  const command = program
    .command("status")
    .description(
      "show every shard: leader, in-sync set, epoch, lag of each replica, keys, bytes, operations per second",
    )
    .option("--watch", "show it again every second, until Ctrl-C")
    .option("--json", "print what the node answered");
  addClientOptions(command).action(async (options: StatusOptions) => {
    await withClient(options, async (client) => {
      if (options.watch === true) await watch(client, options);
      else await print(`${await render(client, options)}\n`);
    });
  });
}

async function watch(client: ClusterClient, options: StatusOptions): Promise<void> {
  const isTerminal = process.stdout.isTTY;
  if (isTerminal) await print("\u001b[2J");
  for (;;) {
    const text = await renderOrExcuse(client, options);
    // Each line ends what stood there before, or a shorter line would leave the longer one's rest.
    await print(isTerminal ? `${REDRAW_START}${text.replaceAll("\n", "\u001b[K\n")}\n${REDRAW_END}` : `${text}\n`);
    await sleep(WATCH_MS);
  }
}

/** A cluster that is down for a moment does not end the watching. */
async function renderOrExcuse(client: ClusterClient, options: StatusOptions): Promise<string> {
  try {
    return await render(client, options);
  } catch (error) {
    if (error instanceof KvError) return error.message;
    throw error;
  }
}

async function render(client: ClusterClient, options: StatusOptions): Promise<string> {
  if (options.json === true) return (await askStatusText(client)).trimEnd();
  return renderStatus(readClusterStatus(await askStatus(client)));
}

async function askStatusText(client: ClusterClient): Promise<string> {
  const answer = await client.ask({ method: "GET", path: "/v1/cluster", isRepeatable: true });
  return answer.body.toString("utf8");
}

async function askStatus(client: ClusterClient): Promise<JsonMembers> {
  return client.askJson({ method: "GET", path: "/v1/cluster", isRepeatable: true });
}
