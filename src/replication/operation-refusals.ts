import { KvError } from "../model/errors.ts";

/** The asker has seen what this history lacks: certain, as nobody else may know better. */
export function notHeld(): KvError {
  const message =
    "What the KV-Token stands for is not in the shard's history: a failover lost it, or it is still to come";
  return new KvError("POSITION_NOT_HELD", message);
}

/** Nothing was appended: the log has no room (rule S4). */
export function diskFull(): KvError {
  return new KvError(
    "DISK_FULL",
    "The disk has no room for the shard's log; free space and writes go on by themselves",
  );
}

/** Nothing was appended: what the tree has not taken in fills the memtable. */
export function treeBehind(): KvError {
  return new KvError("OVERLOADED", "The tree is behind the log; the memtable is full");
}

/** Nothing was appended: the file that the entry needs was not ready in time. */
export function segmentMissing(): KvError {
  return new KvError("BUSY", "The log was still preparing room for the write");
}
