import { BATCH_HEADER_BYTES } from "./segment-format.ts";

/** One buffer with room for the batch header before the entries: one write, and the copy that the tail keeps. */
export function joinBatch(entries: readonly Buffer[]): Buffer {
  let sizeBytes = BATCH_HEADER_BYTES;
  for (const entry of entries) sizeBytes += entry.length;
  const batch = Buffer.allocUnsafe(sizeBytes);
  let at = BATCH_HEADER_BYTES;
  for (const entry of entries) {
    batch.set(entry, at);
    at += entry.length;
  }
  return batch;
}
