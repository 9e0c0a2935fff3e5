import { existsSync, statSync } from "node:fs";
import { join } from "node:path";
import type { Disk } from "../base/disk.ts";
import { NodeDisk } from "../base/node-disk.ts";
import { checkLog, type LogCheck } from "../log/check-log.ts";
import { type DiscardedFile, discardedFiles, readDiscarded } from "../log/discarded-entries.ts";
import { LOG_FOLDER, type NodeRecord, readNodeRecord, TREE_FOLDER } from "../log/node-file.ts";
import { KvError } from "../model/errors.ts";
import { TREE_FILE_NAME } from "../server/node-store.ts";
import { checkTree, type TreeCheck } from "../tree/check-tree.ts";
import { refuseUsed } from "./local-log.ts";

/** What a node's data directory looks like. A part that cannot be read is null, and a fault says why. */
export interface DirectoryCheck {
  readonly path: string;
  readonly record: NodeRecord | null;
  readonly log: LogCheck | null;
  readonly tree: TreeCheck | null;
  readonly discarded: readonly DiscardedFile[];
  /** Sentences: data are damaged or missing. */
  readonly faults: readonly string[];
  /** Sentences: nothing is lost, but an operator should know. */
  readonly warnings: readonly string[];
}

/**
 * Verifies `node.json`, every entry of the log, every record of the tree and the files of discarded entries. Changes
 * nothing. `onProgress` gets the number of rows seen so far. Throws DIRECTORY_IN_USE when the node runs.
 */
export function checkNodeDirectory(path: string, onProgress: (rowCount: number) => void): DirectoryCheck {
  refuseUsed(path);
  const disk = new NodeDisk();
  const faults: string[] = [];
  const record = attempt(faults, () => readNodeRecord(disk, path));
  const log = attempt(faults, () => checkLogOf(disk, path, record));
  const faultCount = faults.length;
  const tree = attempt(faults, () => checkTreeOf(path, onProgress));
  const isTreeBroken = faults.length > faultCount;
  const discarded = discardedFiles(disk, path).map((file) => readDiscarded(disk, file));
  faults.push(
    ...logTexts(log, "error"),
    ...(tree?.faults ?? []),
    ...(isTreeBroken ? [] : mismatches(log, tree)),
    ...discardedFaults(discarded),
  );
  if (record !== null && record.state.damage !== null) faults.push(`the node noted: ${record.state.damage}`);
  return {
    path,
    record,
    log,
    tree,
    discarded,
    faults,
    warnings: [...logTexts(log, "warning"), ...stateWarnings(record)],
  };
}

function checkLogOf(disk: Disk, path: string, record: NodeRecord | null): LogCheck | null {
  const folder = join(path, LOG_FOLDER);
  const check = existsSync(folder) ? checkLog(disk, folder) : null;
  const isMissing = record?.hasLog === true && (check === null || check.segmentCount === 0);
  if (isMissing) throw new KvError("DATA_CORRUPT", `${folder} has no segment, but the node had made its log`);
  return check;
}

function checkTreeOf(path: string, onProgress: (rowCount: number) => void): TreeCheck | null {
  const file = join(path, TREE_FOLDER, TREE_FILE_NAME);
  // An empty one was about to be made; the log fills it.
  return existsSync(file) && statSync(file).size > 0 ? checkTree(file, onProgress) : null;
}

/** The tree takes in what the log holds: it can neither be ahead of it nor miss what the log has let go. */
function mismatches(log: LogCheck | null, tree: TreeCheck | null): string[] {
  if (log === null || log.segmentCount === 0) return [];
  if (tree === null) {
    return log.startSequence <= 1 ? [] : [`there is no tree, but the log begins with ${log.startSequence}`];
  }
  const { appliedSequence } = tree.position;
  const faults: string[] = [];
  if (appliedSequence > log.lastSequence) {
    faults.push(`the tree holds entries up to ${appliedSequence}, but the log ends with ${log.lastSequence}`);
  }
  if (appliedSequence < log.startSequence - 1) {
    faults.push(`the tree holds entries up to ${appliedSequence}, but the log begins with ${log.startSequence}`);
  }
  return faults;
}

function logTexts(log: LogCheck | null, severity: "error" | "warning"): string[] {
  const findings = (log?.findings ?? []).filter((finding) => finding.severity === severity);
  return findings.map(({ file, offset, detail }) => `${file} at byte ${offset}: ${detail}`);
}

function discardedFaults(files: readonly DiscardedFile[]): string[] {
  return files.flatMap(({ path, damage }) => (damage === null ? [] : [`${path} is damaged ${damage}`]));
}

function stateWarnings(record: NodeRecord | null): string[] {
  if (record === null) return [];
  const { bootstrap, conflict } = record.state;
  return [
    ...(bootstrap === null
      ? []
      : ["the copy from the leader is not complete; the node goes on with it when it starts"]),
    ...(conflict === null ? [] : [conflict]),
  ];
}

/** A part that cannot be read at all is a fault, and does not keep the other parts from being checked. */
function attempt<Value>(faults: string[], read: () => Value): Value | null {
  try {
    return read();
  } catch (error) {
    faults.push(error instanceof Error ? error.message : String(error));
    return null;
  }
}
