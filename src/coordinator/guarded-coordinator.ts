import type { Logger } from "../base/logger.ts";
import { documentKeys } from "../model/document-keys.ts";
import { KvError } from "../model/errors.ts";
import { decodeMetaDocument } from "../model/meta-document.ts";
import type { Coordinator, ListResult, ReadResult, Swap, SwapResult, Watch } from "./coordinator.ts";

/** Where it is kept which cluster's documents were gone by. */
export interface ClusterIdMemory {
  /** Null until a document was read. */
  readonly clusterId: string | null;
  /** Durable when it returns. Throws KvError DISK_FULL. */
  noteClusterId(clusterId: string): void;
}

export interface GuardedCoordinatorParts {
  readonly coordinator: Coordinator;
  readonly cluster: string;
  readonly memory: ClusterIdMemory;
  readonly logger: Logger;
}

const NOT_OURS = "It has no document of this shard of this cluster";
const ANY_DOCUMENT: ReadResult = { kind: "value", value: "", revision: "0" };

/**
 * A coordinator as one node uses it: only the documents of the cluster that it belongs to exist (rule C5).
 *
 * The first document that the node reads binds it to that cluster's id, durably; from then on those of a cluster with another id,
 * be it of the same name, are as if they were not there. Owns what there is to say about the coordinator (`trouble`), which
 * it logs when it changes.
 */
export class GuardedCoordinator implements Coordinator {
  readonly #parts: GuardedCoordinatorParts;
  #trouble: string | null = null;

  constructor(parts: GuardedCoordinatorParts) {
    this.#parts = parts;
  }

  /** Why it cannot be used, as a sentence; null when it could be the last time. */
  get trouble(): string | null {
    return this.#trouble;
  }

  /** Reads the cluster's identity along with the document: another coordinator may answer at the old address. */
  read(key: string, done: (result: ReadResult) => void): void {
    const { coordinator, cluster } = this.#parts;
    let meta: ReadResult | null = null;
    let document: ReadResult | null = null;
    const settle = (): void => {
      if (meta === null || document === null) return;
      const result = this.#judge(meta, document);
      this.#note(result);
      done(result);
    };
    coordinator.read(documentKeys(cluster).meta, (result) => {
      meta = result;
      settle();
    });
    coordinator.read(key, (result) => {
      document = result;
      settle();
    });
  }

  /** Looks whose documents they are first: revisions of another cluster's may well be equal to ours. */
  compareAndSwap(key: string, swap: Swap, done: (result: SwapResult) => void): void {
    const { coordinator, cluster, memory } = this.#parts;
    coordinator.read(documentKeys(cluster).meta, (meta) => {
      const result = this.#judge(meta, memory.clusterId === null ? { kind: "absent" } : ANY_DOCUMENT);
      if (result.kind === "failed") done(result);
      else if (memory.clusterId !== null && result.kind === "absent") done({ kind: "failed", reason: NOT_OURS });
      else coordinator.compareAndSwap(key, swap, done);
    });
  }

  list(prefix: string, done: (result: ListResult) => void): void {
    this.#parts.coordinator.list(prefix, done);
  }

  watch(key: string, onChange: () => void): Watch {
    return this.#parts.coordinator.watch(key, onChange);
  }

  close(): void {
    this.#parts.coordinator.close();
  }

  #judge(meta: ReadResult, document: ReadResult): ReadResult {
    if (meta.kind === "failed") return meta;
    if (document.kind !== "value") return document;
    // Whose document it is cannot be told: nothing speaks against it only while this node was bound to no cluster yet.
    if (meta.kind === "absent") return this.#parts.memory.clusterId === null ? document : meta;
    try {
      return this.#isOurs(decodeMetaDocument(meta.value).clusterId) ? document : { kind: "absent" };
    } catch (error) {
      if (!(error instanceof KvError)) throw error;
      return { kind: "failed", reason: error.message };
    }
  }

  #isOurs(clusterId: string): boolean {
    const { memory } = this.#parts;
    if (memory.clusterId === null) memory.noteClusterId(clusterId);
    return memory.clusterId === clusterId;
  }

  #note(result: ReadResult): void {
    const trouble = troubleOf(result);
    if (trouble === this.#trouble) return;
    this.#trouble = trouble;
    const { logger, cluster, memory } = this.#parts;
    // Before its first document a cluster has none: it is about to be made.
    const isExpected = result.kind === "absent" && memory.clusterId === null;
    if (isExpected) logger.info("The coordinator answers; it has no document of this shard yet", { cluster });
    else if (trouble === null) logger.info("The coordinator answers", { cluster });
    else logger.warn("The coordinator is of no use at the moment", { reason: trouble });
  }
}

function troubleOf(result: ReadResult): string | null {
  if (result.kind === "value") return null;
  return result.kind === "failed" ? result.reason : NOT_OURS;
}
