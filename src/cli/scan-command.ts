import type { Command } from "commander";
import { keyForPeople, keyOfBytes } from "../model/key.ts";
import { addClientOptions, type ClientOptions, parseCount, print, withClient } from "./command-options.ts";
import { type ScannedRow, scanPages } from "./scan-pages.ts";
import { bytesMembers, renderRow } from "./stored-row.ts";

interface ScanOptions extends ClientOptions {
  readonly prefix: string;
  readonly start: string;
  readonly end: string;
  readonly limit?: string;
  readonly reverse?: true;
  readonly keysOnly?: true;
  readonly json?: true;
}

/** `kv scan`: keys and values in byte order, over the whole cluster. */
export function defineScan(program: Command): void {
  const command = program
    .command("scan")
    .description("print keys and values in byte order, over all shards: a line each, key and value set apart by a tab")
    .option("--prefix <prefix>", "only keys that start so", "")
    .option("--start <key>", "from this key on", "")
    .option("--end <key>", "up to this key, without it", "")
    .option("--limit <rows>", "at most so many rows")
    .option("--reverse", "from the last key to the first")
    .option("--keys-only", "leave the values out")
    .option("--json", "print NDJSON, as kv export writes it");
  addClientOptions(command).action(async (options: ScanOptions) => {
    const rowsMax = options.limit === undefined ? Number.POSITIVE_INFINITY : parseCount("--limit", options.limit);
    const range = {
      prefix: binaryOf(options.prefix),
      start: binaryOf(options.start),
      end: binaryOf(options.end),
      reverse: options.reverse === true,
      keysOnly: options.keysOnly === true,
    };
    await withClient(options, async (client) => {
      for await (const rows of scanPages(client, range, rowsMax)) {
        const render = options.json === true ? jsonLine : textLine;
        await print(rows.map((row) => render(row, range.keysOnly)).join(""));
      }
    });
  });
}

/** Text as the binary string of its UTF-8 bytes. */
export function binaryOf(text: string): string {
  return Buffer.from(text, "utf8").toString("latin1");
}

function jsonLine(row: ScannedRow, keysOnly: boolean): string {
  return keysOnly ? `${JSON.stringify(bytesMembers("key", row.key))}\n` : renderRow(row);
}

function textLine(row: ScannedRow, keysOnly: boolean): string {
  const key = oneLine(keyForPeople(keyOfBytes(row.key)));
  return keysOnly ? `${key}\n` : `${key}\t${oneLine(textOrHex(row.value))}\n`;
}

function textOrHex(value: Buffer): string {
  const text = value.toString("utf8");
  return Buffer.from(text, "utf8").equals(value) ? text : `0x${value.toString("hex")}`;
}

/** Control characters as JSON writes them: a line is a row, and no value can drive the terminal. */
function oneLine(text: string): string {
  return text.replaceAll(
    // oxlint-disable-next-line no-control-regex -- finding control characters is the point
    /[\u0000-\u001f\u007f-\u009f]/g,
    (character) => SHORT_ESCAPES.get(character) ?? `\\u${character.charCodeAt(0).toString(16).padStart(4, "0")}`,
  );
}

const SHORT_ESCAPES: ReadonlyMap<string, string> = new Map([
  ["\t", "\\t"],
  ["\n", "\\n"],
  ["\r", "\\r"],
]);
