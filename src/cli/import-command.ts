import { createReadStream, statSync } from "node:fs";
import type { Command } from "commander";
import { BatchLoader } from "./batch-loader.ts";
import { byteLines } from "./byte-lines.ts";
import { addClientOptions, type ClientOptions, parseCount, withClient } from "./command-options.ts";
import { reportLoad } from "./load-report.ts";
import { ProgressBar } from "./progress-bar.ts";
import { parseRow } from "./stored-row.ts";
import { UsageError } from "./usage-error.ts";

interface ImportOptions extends ClientOptions {
  readonly inFlight: string;
  readonly durability?: string;
  readonly retryUnknown?: true;
  readonly json?: true;
}

/** `kv import FILE`: stores every row of an NDJSON file. */
export function defineImport(program: Command): void {
  const command = program
    .command("import")
    .argument("<file>", "NDJSON as kv export writes it; - is standard input")
    .description("store every row of an NDJSON file; running it again does no harm, rows are simply set once more")
    .option("--in-flight <requests>", "how many requests are under way at the same time", "8")
    .option("--durability <mode>", "async or in-sync; default: what the cluster is set to")
    .option("--retry-unknown", "send a row again when nobody can say whether it was stored")
    .option("--json", "print the counts as JSON");
  addClientOptions(command).action(async (path: string, options: ImportOptions) => {
    const inFlightMax = parseCount("--in-flight", options.inFlight);
    const chunks = openRows(path);
    await withClient(options, async (client) => {
      const bar = new ProgressBar("rows", null);
      const loader = new BatchLoader(client, {
        durability: options.durability,
        inFlightMax,
        retryUnknown: options.retryUnknown === true,
        onProgress: (count) => bar.add(count),
      });
      try {
        await loadLines(loader, chunks);
        await loader.finish();
      } finally {
        bar.stop();
      }
      await reportLoad(loader.totals, options.json === true);
    });
  });
}

async function loadLines(loader: BatchLoader, chunks: AsyncIterable<Buffer>): Promise<void> {
  let lineNumber = 0;
  for await (const line of byteLines(chunks)) {
    lineNumber += 1;
    if (line.toString("latin1").trim() === "") continue;
    const label = `line ${lineNumber}`;
    try {
      await loader.add(parseRow(line), label);
    } catch (error) {
      if (!(error instanceof UsageError)) throw error;
      loader.refuse(label, error.message);
    }
  }
}

function openRows(path: string): AsyncIterable<Buffer> {
  if (path === "-") return process.stdin;
  try {
    if (statSync(path).isDirectory()) throw new UsageError(`${path} is a directory, not an NDJSON file`);
  } catch (error) {
    if (error instanceof UsageError) throw error;
    throw new UsageError(`${path} cannot be read: ${error instanceof Error ? error.message : String(error)}`);
  }
  return createReadStream(path, { highWaterMark: 1_048_576 });
}
