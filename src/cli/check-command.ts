import { existsSync, readdirSync, statSync } from "node:fs";
import { join } from "node:path";
import { styleText } from "node:util";
import type { Command } from "commander";
import { KvError } from "../model/errors.ts";
import { NODE_FILE_NAME } from "../log/node-file.ts";
import { CommandFailure } from "./command-failure.ts";
import { print } from "./command-options.ts";
import type { DirectoryCheck } from "./directory-check.ts";
import { entryMembers, renderEntry } from "./entry-text.ts";
import { ProgressBar } from "./progress-bar.ts";
import { countOf, formatBytes, formatCount } from "./quantities.ts";

interface CheckOptions {
  readonly entries?: true;
  readonly json?: true;
}

/** `kv check DIR`: verifies a data directory that no node uses. */
export function defineCheck(program: Command): void {
  program
    .command("check")
    .argument("<directory>", "a node's data directory, or the one of kv up with all of them")
    .description("verify every record of a data directory, offline; exit code 1 when something is damaged")
    .option("--entries", "show the entries that were discarded, too")
    .option("--json", "print what was found as JSON, one line a node")
    .action(async (directory: string, options: CheckOptions) => {
      // Loads the tree's library, which no other client command needs.
      const { checkNodeDirectory } = await import("./directory-check.ts");
      let damaged = 0;
      for (const path of nodeDirectories(directory)) {
        const bar = new ProgressBar("rows", null);
        const check = checkNodeDirectory(path, (rowCount) => bar.add(rowCount - bar.count));
        bar.stop();
        if (check.faults.length > 0) damaged += 1;
        await print(`${options.json === true ? jsonLine(check) : renderCheck(check, options.entries === true)}\n`);
      }
      if (damaged > 0) throw new CommandFailure(`${countOf(damaged, "data directory")} damaged`);
    });
}

/** The directory itself, or those of the nodes in it. Throws WRONG_DIRECTORY when there is none. */
function nodeDirectories(directory: string): string[] {
  const isNode = (path: string): boolean => existsSync(join(path, NODE_FILE_NAME));
  if (!existsSync(directory) || !statSync(directory).isDirectory()) {
    throw new KvError("WRONG_DIRECTORY", `${directory} is not a directory`);
  }
  if (isNode(directory)) return [directory];
  const found = readdirSync(directory)
    .map((name) => join(directory, name))
    .filter(isNode);
  if (found.length > 0) return found.sort();
  throw new KvError(
    "WRONG_DIRECTORY",
    `${directory} holds no ${NODE_FILE_NAME}, and none of its directories does: no node's data`,
  );
}

function renderCheck(check: DirectoryCheck, withEntries: boolean): string {
  const { path, record, log, tree, discarded, faults, warnings } = check;
  const lines = [styleText("bold", path)];
  if (record !== null) {
    const { leadership, store } = record.state;
    const led =
      leadership === null ? "no leader known" : `leader ${leadership.leader.node} in epoch ${leadership.epoch}`;
    lines.push(`  ${store.node}, shard ${record.shard} of ${record.cluster}; ${led}`);
  }
  if (log !== null) {
    const { segmentCount, entryCount, entryBytes, startSequence, lastSequence } = log;
    lines.push(
      `  log: entries ${startSequence} to ${lastSequence} (${formatCount(entryCount)}, ${formatBytes(entryBytes)}) in ${countOf(segmentCount, "segment")}`,
    );
  }
  if (tree !== null) {
    const { rowCounts, stats, position } = tree;
    lines.push(
      `  tree: ${countOf(rowCounts.user, "key")} in ${formatBytes(stats.liveBytes)}, holds entries up to ${position.appliedSequence}`,
    );
  }
  if (tree === null && faults.length === 0) {
    lines.push("  tree: none yet; the log holds everything, and fills it at the next start");
  }
  for (const file of discarded) {
    lines.push(`  discarded: ${file.path} with ${countOf(file.entries.length, "entry")}`);
    if (withEntries) lines.push(...file.entries.map((entry) => renderEntry(entry).replaceAll(/^/gm, "    ")));
  }
  lines.push(...warnings.map((warning) => `  ${styleText("yellow", `warning: ${warning}`)}`));
  lines.push(...faults.map((fault) => `  ${styleText("red", `DAMAGED: ${fault}`)}`));
  if (faults.length === 0) lines.push(`  ${styleText("green", "sound")}`);
  return lines.join("\n");
}

function jsonLine({ path, record, log, tree, discarded, faults, warnings }: DirectoryCheck): string {
  const files = discarded.map((file) => ({ path: file.path, entries: file.entries.map(entryMembers) }));
  const node = record === null ? null : { node: record.state.store.node, shard: record.shard, cluster: record.cluster };
  return JSON.stringify({ path, ...node, sound: faults.length === 0, faults, warnings, log, tree, discarded: files });
}
