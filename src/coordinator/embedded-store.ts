import { join } from "node:path";
import { crc32 } from "../base/crc32.ts";
import type { Disk } from "../base/disk.ts";
import { KvError } from "../model/errors.ts";
import { isRevision, swapFault } from "./call-checks.ts";
import { NO_REVISION, type StoredDocument, type Swap } from "./coordinator.ts";
import { JsonAnswer } from "./json-answer.ts";

export const STORE_FILE_NAME = "documents.json";
/** Raised when the file means something else. */
const FORMAT_VERSION = 1;
const DOCUMENTS_MAX = 10_000;
/** All of them fit into one answer. */
const STORE_BYTES_MAX = 16_777_216;

interface Content {
  /** Of the newest swap; never goes back. */
  readonly revision: number;
  readonly documents: ReadonlyMap<string, StoredDocument>;
}

/** A swap to be decided together with others. */
export interface StoreSwap extends Swap {
  readonly key: string;
}

export type StoreSwapResult =
  | { readonly kind: "accepted"; readonly revision: string }
  | { readonly kind: "refused" }
  | { readonly kind: "full"; readonly reason: string };

/**
 * The documents of the embedded coordinator in one file, which every accepted swap replaces (write beside it, flush, rename,
 * flush the directory). Documents are few and small.
 *
 * Owns the file, and a copy of it in memory that never shows what is not on disk. Whoever opens it must hold the directory's lock. A
 * replacement that fails is thrown: whether the file is the old or the new one is then unknown, and the process must end.
 */
export class EmbeddedStore {
  readonly #disk: Disk;
  readonly #path: string;
  #content: Content;
  #byteCount = 0;

  /** Opens the store of a directory, made when there is none. Throws KvError DATA_CORRUPT or UNKNOWN_FORMAT. */
  static open(disk: Disk, directory: string): EmbeddedStore {
    disk.makeDirectory(directory);
    const path = join(directory, STORE_FILE_NAME);
    const bytes = disk.readFile(path);
    const content = bytes === null ? { revision: 0, documents: new Map() } : parseContent(path, bytes);
    return new EmbeddedStore(disk, path, content);
  }

  private constructor(disk: Disk, path: string, content: Content) {
    this.#disk = disk;
    this.#path = path;
    this.#content = content;
    for (const document of content.documents.values()) this.#byteCount += sizeOf(document);
  }

  get documentCount(): number {
    return this.#content.documents.size;
  }

  get(key: string): StoredDocument | undefined {
    return this.#content.documents.get(key);
  }

  /** In the order of keys. */
  list(prefix: string): StoredDocument[] {
    const found = [...this.#content.documents.values()].filter(({ key }) => key.startsWith(prefix));
    return found.sort((left, right) => (left.key < right.key ? -1 : 1));
  }

  /**
   * Decides swaps in their order, and returns when all that were accepted are on disk: one replacement of the file for all. Throws
   * the system's error when that failed.
   */
  swap(swaps: readonly StoreSwap[]): StoreSwapResult[] {
    const documents = new Map(this.#content.documents);
    let { revision } = this.#content;
    let byteCount = this.#byteCount;
    const results = swaps.map(({ key, expectedRevision, value }): StoreSwapResult => {
      const present = documents.get(key);
      if ((present?.revision ?? NO_REVISION) !== expectedRevision) return { kind: "refused" };
      const next = { key, value, revision: String(revision + 1) };
      const nextByteCount = byteCount + sizeOf(next) - (present === undefined ? 0 : sizeOf(present));
      if (nextByteCount > STORE_BYTES_MAX || (present === undefined && documents.size >= DOCUMENTS_MAX)) {
        return { kind: "full", reason: `The coordinator holds ${documents.size} documents, as many as it can` };
      }
      revision += 1;
      byteCount = nextByteCount;
      documents.set(key, next);
      return { kind: "accepted", revision: next.revision };
    });
    if (revision === this.#content.revision) return results;
    const content = { revision, documents };
    this.#disk.replaceFile(this.#path, encodeContent(content));
    this.#content = content;
    this.#byteCount = byteCount;
    return results;
  }
}

function sizeOf({ key, value }: StoredDocument): number {
  return key.length + Buffer.byteLength(value, "utf8");
}

function encodeContent({ revision, documents }: Content): Buffer {
  const content = { revision: String(revision), documents: [...documents.values()] };
  return Buffer.from(`${JSON.stringify({ format: FORMAT_VERSION, checksum: checksumOf(content), ...content })}\n`);
}

function parseContent(path: string, bytes: Buffer): Content {
  const file = JsonAnswer.parse(bytes);
  const format = file?.whole("format");
  if (file === null || format === undefined) throw damaged(path, bytes.length === 0 ? "it is empty" : "it is not JSON");
  if (format !== FORMAT_VERSION) {
    const message = `${path} has format ${format}, this program reads format ${FORMAT_VERSION}`;
    throw new KvError("UNKNOWN_FORMAT", message);
  }
  const revision = file.text("revision") ?? "";
  const documents = (file.objects("documents") ?? []).map((item) => ({
    key: item.text("key") ?? "",
    value: item.text("value") ?? "",
    revision: item.text("revision") ?? "",
  }));
  if (checksumOf({ revision, documents }) !== file.text("checksum")) throw damaged(path, "its checksum is wrong");
  // A right checksum over a wrong content is no damage of the disk, but no reason to trust it.
  if (!isCount(revision) || !documents.every((document) => isSound(document, Number(revision)))) {
    throw damaged(path, "it holds what no coordinator writes");
  }
  return { revision: Number(revision), documents: new Map(documents.map((document) => [document.key, document])) };
}

function isSound({ key, value, revision }: StoredDocument, newest: number): boolean {
  return (
    swapFault(key, { expectedRevision: revision, value }) === null && isCount(revision) && Number(revision) <= newest
  );
}

function isCount(revision: string): boolean {
  return isRevision(revision) && Number.isSafeInteger(Number(revision));
}

function damaged(path: string, what: string): KvError {
  const advice = "when nodes still have the configuration, move the file away and run kv coordinator rebuild";
  return new KvError("DATA_CORRUPT", `${path} is damaged: ${what}; ${advice}`);
}

function checksumOf(content: { readonly revision: string; readonly documents: readonly StoredDocument[] }): string {
  return crc32(Buffer.from(JSON.stringify(content)))
    .toString(16)
    .padStart(8, "0");
}
