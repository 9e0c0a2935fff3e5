import type { Log } from "../log/log.ts";
import { decodeEntry, type Entry } from "../model/entry.ts";
import type { Sequence } from "../model/position.ts";
import type { EntrySource } from "./log-applier.ts";

const READ_BYTES = 1024 * 1024;

/** The entries of a log that lives in the same thread, decoded with their checksums verified. Throws EntryFormatError. */
export class LogEntries implements EntrySource {
  readonly #log: Log;

  constructor(log: Log) {
    this.#log = log;
  }

  *read(from: Sequence, through: Sequence): Generator<Entry> {
    for (let next = from; next <= through;) {
      const { bytes } = this.#log.read(next, READ_BYTES);
      if (bytes.length === 0) return;
      for (let at = 0; at < bytes.length;) {
        const entry = decodeEntry(bytes, at);
        if (entry.sequence > through) return;
        yield entry;
        next = entry.sequence + 1;
        at += entry.lengthBytes;
      }
    }
  }

  /** Nothing is kept between two reads. */
  reset(): void {}

  /** The log belongs to someone else. */
  close(): void {}
}
