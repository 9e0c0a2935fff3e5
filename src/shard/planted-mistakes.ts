import { SPACE, type Mutation, type Space } from "../model/entry.ts";
import { TreeChunkBuilder } from "../tree/tree-chunk.ts";
import type { TreeChange, TreeChunk, TreeReader } from "../tree/tree.ts";
import { encodeRecord } from "../tree/value-record.ts";
import type { ShardStore } from "./shard-store.ts";

const EVERYTHING = { kind: "scan", end: "", reverse: false, keysOnly: false, rowsMax: 1_000_000 } as const;

/** The mistake M55, for tests only: a snapshot's rows as they will be if everything appended is committed one day. */
export function chunkWithUncommitted(store: ShardStore, afterKey: string, bytesMax: number): TreeChunk {
  const start = afterKey === "" ? "" : `${afterKey}\u0000`;
  const page = store.view.page({ ...EVERYTHING, start, bytesMax: 1e9 }, Number.MAX_SAFE_INTEGER, 0);
  const builder = new TreeChunkBuilder(bytesMax);
  const isCutOff = page.items.some((item) => {
    const record = { ...item, value: item.value ?? Buffer.alloc(0) };
    return !builder.add(item.key, encodeRecord(item.key, record));
  });
  const bytes = builder.finish();
  const mayHoldThrough = store.tree.position().applyingThrough;
  return { space: SPACE.user, bytes, lastKey: isCutOff ? builder.lastKey : null, mayHoldThrough };
}

/** What the mistake M58 hides in the content type of an increment: by how much. */
const SIGN = "+";

/** The content type of a logical increment (M58). */
export function logicalIncrement(by: bigint): string {
  return SIGN + by.toString();
}

/**
 * The mistake M58, for tests only: increments of the log are done again to what the tree holds, instead of storing the values that
 * they came to. Right as long as no entry is ever replayed over its own effect.
 */
export class LogicalIncrements {
  /** Sums by key; null where the stretch has a plain value before the increments. */
  readonly #sums = new Map<string, bigint | null>();

  note(mutations: readonly Mutation[]): void {
    for (const { space, key, contentType } of mutations) {
      if (space !== SPACE.user) continue;
      const sum = this.#sums.get(key);
      if (!contentType.startsWith(SIGN)) this.#sums.set(key, null);
      else if (sum !== null) this.#sums.set(key, (sum ?? 0n) + BigInt(contentType.slice(SIGN.length)));
    }
  }

  replay(changes: readonly TreeChange[], tree: TreeReader): TreeChange[] {
    return changes.map((change) => {
      const { space, key, record } = change;
      const sum = space === SPACE.user ? this.#sums.get(key) : undefined;
      if (record === null || !record.contentType.startsWith(SIGN)) return change;
      const plain = { ...record, contentType: "" };
      if (sum === null || sum === undefined) return { space, key, record: plain };
      return { space, key, record: { ...plain, value: Buffer.from((present(tree, space, key) + sum).toString()) } };
    });
  }
}

function present(tree: TreeReader, space: Space, key: string): bigint {
  const text = tree.get(space, key)?.value.toString() ?? "0";
  return /^-?\d+$/.test(text) ? BigInt(text) : 0n;
}
