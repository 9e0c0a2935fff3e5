import type { Sequence } from "../model/position.ts";
import type { ImportBase, ImportedChunk } from "../shard/applier.ts";

/** What the shard's thread tells the applier's. The first message is `start`; requests are answered by `done`, in order. */
export type ToApplier =
  | {
      readonly kind: "start";
      readonly logDirectory: string;
      readonly treePath: string;
      readonly mutants: readonly string[];
    }
  | { readonly kind: "applyThrough"; readonly sequence: Sequence }
  | { readonly kind: "wipe" }
  /** The chunk's bytes have lost their `Buffer` clothes on the way. */
  | { readonly kind: "importChunk"; readonly imported: ImportedChunk; readonly bytes: Uint8Array<ArrayBuffer> }
  | { readonly kind: "setBase"; readonly base: ImportBase }
  | { readonly kind: "close" };

/** What the applier's thread tells the shard's. */
export type FromApplier =
  | { readonly kind: "applied"; readonly sequence: Sequence }
  | { readonly kind: "done" }
  | { readonly kind: "diskFull"; readonly isFull: boolean }
  /** `wire` is the KvError's number; null for an error of another kind. */
  | { readonly kind: "fatal"; readonly message: string; readonly stack: string; readonly wire: number | null };
