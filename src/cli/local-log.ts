import { existsSync } from "node:fs";
import { join } from "node:path";
import { NodeDisk } from "../base/node-disk.ts";
import { findDirectoryUser, processPhrase } from "../base/process-finder.ts";
import { checkLog, type LogCheck } from "../log/check-log.ts";
import { LogReader } from "../log/log-reader.ts";
import { LOG_FOLDER, type NodeRecord, readNodeRecord } from "../log/node-file.ts";
import type { Entry } from "../model/entry.ts";
import { KvError } from "../model/errors.ts";
import type { Sequence } from "../model/position.ts";

/** The log of a node that is not running, read from its data directory. */
export interface LocalLog {
  readonly record: NodeRecord;
  readonly check: LogCheck;
  /** Entries behind `sequence`, up to the log's end. Throws CORRUPT. */
  entriesBehind(sequence: Sequence): Generator<Entry, void, void>;
}

/** Throws WRONG_DIRECTORY when there is no node's data, DIRECTORY_IN_USE when the node runs. */
export function openLocalLog(directory: string): LocalLog {
  const disk = new NodeDisk();
  refuseUsed(directory);
  const record = existsSync(directory) ? readNodeRecord(disk, directory) : null;
  if (record === null) throw new KvError("WRONG_DIRECTORY", `${directory} is not a node's data directory`);
  const folder = join(directory, LOG_FOLDER);
  const check = checkLog(disk, folder);
  return {
    record,
    check,
    *entriesBehind(sequence) {
      const reader = new LogReader(disk, folder);
      try {
        yield* reader.read(Math.max(sequence + 1, check.startSequence), check.lastSequence);
      } finally {
        reader.close();
      }
    },
  };
}

/** What a running node writes at this moment would look like damage. Throws DIRECTORY_IN_USE. */
export function refuseUsed(directory: string): void {
  const user = findDirectoryUser(directory);
  if (user === null) return;
  throw new KvError("DIRECTORY_IN_USE", `${directory} is in use by ${processPhrase(user)}; stop that node first`);
}
