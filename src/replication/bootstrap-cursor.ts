import type { Sequence } from "../model/position.ts";
import type { TreeReader } from "../tree/tree.ts";
import { decodeEpochs } from "./message-codec.ts";
import type { EpochOfBase } from "./messages.ts";

/** How far a copy has come; kept in the tree, in the same transaction as the rows. */
export interface BootstrapCursor {
  /** The store id that the copy was begun under: an older copy's cursor means nothing. */
  readonly store: string;
  readonly lineage: number;
  readonly base: Sequence;
  readonly mustReach: Sequence;
  readonly space: number;
  readonly after: string;
  readonly epochs: readonly EpochOfBase[];
}

const NAME = "bootstrapCursor";

/** The cursor as meta rows of the tree. Binary strings are kept in hex: JSON text could be normalised on its way. */
export function cursorMeta(cursor: BootstrapCursor): ReadonlyMap<string, string> {
  const { store, lineage, base, mustReach, space, after, epochs } = cursor;
  const numbers = [lineage, base, mustReach, space].join(" ");
  const hex = Buffer.from(after, "latin1").toString("hex");
  return new Map([[NAME, [store, numbers, hex, JSON.stringify(epochs)].join("\n")]]);
}

/** The cursor of the copy that `store` was begun with; null when there is none. */
export function readCursor(tree: TreeReader, store: string): BootstrapCursor | null {
  const [name, numbers = "", hex = "", epochs = "[]"] = (tree.meta(NAME) ?? "").split("\n");
  const [lineage = 0, base = 0, mustReach = 0, space = 0] = numbers.split(" ").map(Number);
  if (name !== store) return null;
  const after = Buffer.from(hex, "hex").toString("latin1");
  return { store, lineage, base, mustReach, space, after, epochs: decodeEpochs(Buffer.from(epochs)) };
}
