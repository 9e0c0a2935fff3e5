import { join } from "node:path";
import { crc32 } from "../base/crc32.ts";
import type { Disk } from "../base/disk.ts";
import { isNoSpace } from "../base/no-space.ts";
import { KvError } from "../model/errors.ts";
import type { NodeName } from "../model/position.ts";
import { decodeNodeState, Fields, NodeStateError } from "./node-state.ts";
import type { NodeState } from "./node-state.ts";

/** Raised when `node.json` means something else, or when log or tree may hold what an older program would misread. */
export const NODE_FORMAT_VERSION = 1;

/** Where things lie in a data directory. */
export const NODE_FILE_NAME = "node.json";
export const LOG_FOLDER = "log";
export const TREE_FOLDER = "tree";

/** To whom a data directory belongs; never changes. */
export interface NodeIdentity {
  readonly cluster: string;
  readonly shard: string;
  readonly node: NodeName;
}

/** What `node.json` says. */
export interface NodeRecord {
  readonly cluster: string;
  readonly shard: string;
  /** The log was made once: from then on a directory without it is damaged, not new. */
  readonly hasLog: boolean;
  /** The cluster whose documents the node has gone by (rule C5); null in static mode, and while there were none. */
  readonly clusterId: string | null;
  readonly state: NodeState;
}

/**
 * `node.json`: whose directory this is, and what the node must not forget.
 *
 * Owns the file. Every change is a replacement of the whole file, flushed when the call returns; when that fails, the error
 * is thrown, the state in memory stays what the file held before, and the caller must not act on the change. A full disk is
 * KvError DISK_FULL, and may have room later.
 */
export class NodeFile {
  readonly #disk: Disk;
  readonly #path: string;
  #record: NodeRecord;

  /**
   * Opens the file of a data directory; null when the directory is new. Throws KvError WRONG_DIRECTORY when it belongs to
   * another cluster, shard or node, or holds data without saying whose; UNKNOWN_FORMAT; DATA_CORRUPT.
   */
  static open(disk: Disk, directory: string, expected: NodeIdentity): NodeFile | null {
    const record = readNodeRecord(disk, directory);
    if (record === null) {
      refuseNamelessData(disk, directory);
      return null;
    }
    refuseOther(directory, { ...record, node: record.state.store.node }, expected);
    // A process that died in the middle of a replacement may have left what a power cut would still take back.
    disk.flushDirectory(directory);
    return new NodeFile(disk, join(directory, NODE_FILE_NAME), record);
  }

  /** Makes the file of a new directory. */
  static create(disk: Disk, directory: string, content: Omit<NodeRecord, "hasLog" | "clusterId">): NodeFile {
    disk.makeDirectory(directory);
    const file = new NodeFile(disk, join(directory, NODE_FILE_NAME), { ...content, hasLog: false, clusterId: null });
    file.#write(file.#record);
    return file;
  }

  private constructor(disk: Disk, path: string, record: NodeRecord) {
    this.#disk = disk;
    this.#path = path;
    this.#record = record;
  }

  get state(): NodeState {
    return this.#record.state;
  }

  get hasLog(): boolean {
    return this.#record.hasLog;
  }

  get clusterId(): string | null {
    return this.#record.clusterId;
  }

  /** Durable when it returns. */
  replace(state: NodeState): void {
    this.#write({ ...this.#record, state });
  }

  /** Remembers that the log has been made. */
  noteLog(): void {
    if (!this.#record.hasLog) this.#write({ ...this.#record, hasLog: true });
  }

  /** Remembers, for good, whose documents the node goes by. Durable when it returns. */
  noteClusterId(clusterId: string): void {
    this.#write({ ...this.#record, clusterId });
  }

  #write(record: NodeRecord): void {
    const { cluster, shard, hasLog, clusterId, state } = record;
    const content = { cluster, shard, hasLog, ...membersOfId(clusterId), state };
    const file = { format: NODE_FORMAT_VERSION, checksum: checksumOf(content), ...content };
    try {
      this.#disk.replaceFile(this.#path, Buffer.from(`${JSON.stringify(file, null, 2)}\n`));
    } catch (cause) {
      if (!isNoSpace(cause)) throw cause;
      throw new KvError("DISK_FULL", `The disk has no room to write down the node's state in ${this.#path}`, { cause });
    }
    this.#record = record;
  }
}

/** Reads `node.json` whoever it belongs to; null when there is none. Throws KvError UNKNOWN_FORMAT or DATA_CORRUPT. */
export function readNodeRecord(disk: Disk, directory: string): NodeRecord | null {
  const path = join(directory, NODE_FILE_NAME);
  const bytes = disk.readFile(path);
  if (bytes === null) return null;
  try {
    return parseRecord(path, bytes);
  } catch (error) {
    if (!(error instanceof NodeStateError)) throw error;
    const advice = "when other members have the data, move the directory away and start with an empty one";
    throw new KvError("DATA_CORRUPT", `${path} is damaged: ${error.message}; ${advice}`, { cause: error });
  }
}

function parseRecord(path: string, bytes: Buffer): NodeRecord {
  const fields = new Fields(parseJson(bytes), "the file");
  const format = fields.count("format");
  if (format !== NODE_FORMAT_VERSION) {
    const message = `${path} has format ${format}, this program reads format ${NODE_FORMAT_VERSION}`;
    throw new KvError("UNKNOWN_FORMAT", message);
  }
  const record: NodeRecord = {
    cluster: fields.text("cluster"),
    shard: fields.text("shard"),
    hasLog: fields.truth("hasLog"),
    clusterId: fields.has("clusterId") ? fields.text("clusterId") : null,
    state: fields.read("state", decodeNodeState),
  };
  const { cluster, shard, hasLog, clusterId } = record;
  const state = fields.read("state", (value) => value);
  if (checksumOf({ cluster, shard, hasLog, ...membersOfId(clusterId), state }) !== fields.text("checksum")) {
    throw new NodeStateError("its checksum is wrong");
  }
  return record;
}

function parseJson(bytes: Buffer): unknown {
  try {
    return JSON.parse(bytes.toString("utf8"));
  } catch {
    throw new NodeStateError(bytes.length === 0 ? "it is empty" : "it is not JSON");
  }
}

/** Files from before there were coordinators have no such member, and must keep their checksum. */
function membersOfId(clusterId: string | null): { readonly clusterId?: string } {
  return clusterId === null ? {} : { clusterId };
}

/** Over the content as JSON without spaces, so that the file may be laid out for people. */
function checksumOf(content: { readonly [name: string]: unknown }): string {
  return crc32(Buffer.from(JSON.stringify(content)))
    .toString(16)
    .padStart(8, "0");
}

function refuseOther(directory: string, found: NodeIdentity, expected: NodeIdentity): void {
  for (const what of ["cluster", "shard", "node"] as const) {
    if (found[what] === expected[what]) continue;
    const message = `The data directory ${directory} belongs to ${what} ${found[what]}, not to ${what} ${expected[what]}`;
    throw new KvError("WRONG_DIRECTORY", message, {
      details: { directory, found: { ...found }, expected: { ...expected } },
    });
  }
}

/** Data whose owner is unknown are never started as an empty store: that would be the end of them. */
function refuseNamelessData(disk: Disk, directory: string): void {
  for (const folder of [LOG_FOLDER, TREE_FOLDER]) {
    if (disk.list(join(directory, folder)).length === 0) continue;
    const message = `The data directory ${directory} has files in ${folder}, but no ${NODE_FILE_NAME} that says whose they are`;
    throw new KvError("WRONG_DIRECTORY", message, { details: { directory } });
  }
}
