import type { Command } from "commander";
import type { ClusterClient } from "./cluster-client.ts";
import { readClusterStatus } from "./cluster-report.ts";
import { addClientOptions, type ClientOptions, print, withClient } from "./command-options.ts";
import { ExportFile } from "./export-file.ts";
import { ProgressBar } from "./progress-bar.ts";
import { countOf } from "./quantities.ts";
import { binaryOf } from "./scan-command.ts";
import { scanPages } from "./scan-pages.ts";
import { renderRow } from "./stored-row.ts";
import { UsageError } from "./usage-error.ts";

interface ExportOptions extends ClientOptions {
  readonly prefix: string;
  readonly resume?: true;
  readonly overwrite?: true;
}

/** Where rows go: a file, or standard output. */
interface RowSink {
  readonly lastKey: Buffer | null;
  write(text: string): Promise<void>;
  close(): Promise<void>;
}

/** `kv export FILE`: every key with its value as NDJSON, in byte order. */
export function defineExport(program: Command): void {
  const command = program
    .command("export")
    .argument("<file>", "where to; - is standard output")
    .description("write all keys and values as NDJSON, which kv import reads; what is not text is written as base64")
    .option("--prefix <prefix>", "only keys that start so", "")
    .option("--resume", "go on behind the last row of an export that was cut off")
    .option("--overwrite", "replace the file if there is one");
  addClientOptions(command).action(async (path: string, options: ExportOptions) => {
    if (options.resume === true && options.overwrite === true) {
      throw new UsageError("--resume and --overwrite exclude each other");
    }
    await withClient(options, async (client) => {
      const total = options.prefix === "" && options.resume !== true ? await countKeys(client) : null;
      const sink = await openSink(path, options);
      const bar = new ProgressBar("rows", total);
      try {
        await exportRows({ client, sink, bar, prefix: binaryOf(options.prefix) });
      } finally {
        bar.stop();
        await sink.close();
      }
      process.stderr.write(`${countOf(bar.count, "row")} exported${path === "-" ? "" : ` to ${path}`}\n`);
    });
  });
}

async function exportRows(parts: {
  client: ClusterClient;
  sink: RowSink;
  bar: ProgressBar;
  prefix: string;
}): Promise<void> {
  const { client, sink, bar, prefix } = parts;
  const { lastKey } = sink;
  // A bound one byte longer than the last key could be longer than a key may be: that row is met again and left out.
  const start = lastKey?.toString("latin1") ?? "";
  for await (const page of scanPages(client, { prefix, start, end: "", reverse: false, keysOnly: false })) {
    const rows = lastKey === null ? page : page.filter(({ key }) => !key.equals(lastKey));
    await sink.write(rows.map(renderRow).join(""));
    bar.add(rows.length);
  }
}

async function openSink(path: string, options: ExportOptions): Promise<RowSink> {
  if (path === "-") return { lastKey: null, write: print, close: async () => {} };
  const existing = options.resume === true ? "resume" : options.overwrite === true ? "overwrite" : "refuse";
  return ExportFile.open(path, existing);
}

async function countKeys(client: ClusterClient): Promise<number> {
  const status = readClusterStatus(await client.askJson({ method: "GET", path: "/v1/cluster", isRepeatable: true }));
  return status.shards.reduce((sum, shard) => {
    const leader = shard.members.find((member) => member.node === shard.leader);
    return sum + (leader?.reachable === true ? leader.keyCount : 0);
  }, 0);
}
