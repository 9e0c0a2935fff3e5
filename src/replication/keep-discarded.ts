import { KvError } from "../model/errors.ts";
import type { Sequence } from "../model/position.ts";
import type { ShardStore } from "../shard/shard-store.ts";
import type { MemberEnvironment } from "./member-environment.ts";

const STEP_BYTES = 1024 * 1024;

/**
 * Keeps every entry behind `sequence` for the operator before this copy is given up (rule P2): as many as the log still has
 * and can read.
 */
export function keepEntriesBehind(store: ShardStore, sequence: Sequence, env: MemberEnvironment): void {
  try {
    for (let from = Math.max(sequence + 1, store.log.startSequence); from <= store.log.lastSequence;) {
      const { bytes, last } = store.log.read(from, STEP_BYTES);
      env.discarded.keep(bytes);
      from = last + 1;
    }
  } catch (error) {
    if (!(error instanceof KvError)) throw error;
    env.logger.error("Some entries that are given up cannot be read", { reason: error.message });
  }
}
