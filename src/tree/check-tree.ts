import { SPACE, type Space } from "../model/entry.ts";
import { keyForPeople } from "../model/key.ts";
import type { TreePosition, TreeStats } from "./tree.ts";
import { LmdbTree } from "./lmdb-tree.ts";

/** What `kv check` says of a tree. */
export interface TreeCheck {
  readonly position: TreePosition;
  readonly stats: TreeStats;
  readonly rowCounts: Readonly<Record<keyof typeof SPACE, number>>;
  /** Sentences, one a fault; empty when the tree is sound. */
  readonly faults: readonly string[];
}

const STEP_BYTES = 4 * 1024 * 1024;
const FAULTS_MAX = 100;

/**
 * Verifies every record of the tree at `path`, the expiry index and the position, without changing anything. `onProgress` is
 * called with the number of rows seen so far. Nobody may be writing the tree. Throws DATA_CORRUPT or UNKNOWN_FORMAT when the
 * file is no tree of this version.
 */
export function checkTree(path: string, onProgress: (rowCount: number) => void = () => {}): TreeCheck {
  const tree = new LmdbTree({ path, readOnly: true });
  try {
    const faults: string[] = [];
    let seen = 0;
    const countRows = (space: Space): number => {
      let rowCount = 0;
      for (let afterKey: string | null = ""; afterKey !== null;) {
        const step = tree.verifyRange(space, afterKey, STEP_BYTES);
        faults.push(
          ...step.corruptKeys.map((key) => `The record of key ${keyForPeople(key)} in space ${space} is damaged`),
        );
        rowCount += step.rowCount;
        seen += step.rowCount;
        afterKey = step.lastKey;
        onProgress(seen);
      }
      return rowCount;
    };
    const rowCounts = {
      user: countRows(SPACE.user),
      requestIds: countRows(SPACE.requestIds),
      shardState: countRows(SPACE.shardState),
    };
    faults.push(...tree.expiryFaults(FAULTS_MAX), ...positionFaults(tree.position()));
    return { position: tree.position(), stats: tree.stats(), rowCounts, faults: faults.slice(0, FAULTS_MAX) };
  } finally {
    tree.close();
  }
}

function positionFaults({ appliedSequence, applyingThrough }: TreePosition): string[] {
  const isSound = Number.isSafeInteger(appliedSequence) && appliedSequence >= 0 && applyingThrough >= appliedSequence;
  return isSound ? [] : [`The position is impossible: applied ${appliedSequence}, applying ${applyingThrough}`];
}
