import type { Command } from "commander";
import { CONFIG_FILE_DEFAULT, findCluster } from "./cluster-access.ts";
import { ClusterClient } from "./cluster-client.ts";
import { UsageError } from "./usage-error.ts";

/** What commander hands to a client command, besides its own options. */
export interface ClientOptions {
  readonly node?: string;
  readonly configFile: string;
}

/** Gives a command `--node` and `--config-file`. */
export function addClientOptions(command: Command): Command {
  return command
    .option("--node <address>", "ask this node (host:port); default: the first of the file that answers")
    .option("--config-file <file>", "where the cluster's nodes are listed", CONFIG_FILE_DEFAULT);
}

/** Runs `use` with a client of the cluster that the options name, and closes it. */
export async function withClient(options: ClientOptions, use: (client: ClusterClient) => Promise<void>): Promise<void> {
  const client = new ClusterClient(findCluster(options));
  try {
    await use(client);
  } finally {
    client.close();
  }
}

/** Parses an option that is a whole number from `min` on. Throws UsageError. */
export function parseCount(option: string, text: string, min = 1): number {
  const count = /^\d{1,9}$/.test(text) ? Number(text) : Number.NaN;
  if (count >= min) return count;
  throw new UsageError(`${option} ${text} must be a whole number from ${min} on`);
}

/** An option that is one of a few words; undefined when it was not given. Throws UsageError. */
export function checkChoice(option: string, text: string | undefined, choices: readonly string[]): string | undefined {
  if (text === undefined || choices.includes(text)) return text;
  throw new UsageError(`${option} ${text} must be ${choices.join(" or ")}`);
}

/** An option that is a whole number of up to 16 digits, within bounds; undefined when it was not given. Throws UsageError. */
export function checkNumber(
  option: string,
  text: string | undefined,
  { min, max }: { readonly min: number; readonly max: number },
): string | undefined {
  if (text === undefined) return undefined;
  if (/^\d{1,16}$/.test(text) && Number(text) >= min && Number(text) <= max) return text;
  throw new UsageError(`${option} ${text} must be a whole number from ${min} to ${max}`);
}

/** Writes to standard output and waits while it is full; a reader that has gone away (`| head`) ends the program quietly. */
export async function print(text: string | Buffer): Promise<void> {
  await new Promise<void>((resolve, reject) => {
    process.stdout.write(text, (error) => (error ? reject(error) : resolve()));
  });
}
