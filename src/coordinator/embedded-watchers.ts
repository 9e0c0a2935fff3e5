import type { ServerResponse } from "node:http";
import type { Timer, Timers } from "../base/clock.ts";
import { ALIVE_LINE, ALIVE_MS, CHANGED_LINE } from "./embedded-protocol.ts";

const WATCHERS_MAX = 1024;
/** A reader that is this far behind has gone, or might as well. */
const UNREAD_BYTES_MAX = 65_536;

/**
 * Who waits for changes of which document.
 *
 * Owns the streams of answers; says "alive" to all of them from time to time, so that both ends notice a dead connection. A reader
 * that does not read is cut off: it opens another stream, and reads the document then.
 */
export class EmbeddedWatchers {
  readonly #timers: Timers;
  readonly #streams = new Map<ServerResponse, string>();
  #timer: Timer | null = null;

  constructor(timers: Timers) {
    this.#timers = timers;
  }

  get isFull(): boolean {
    return this.#streams.size >= WATCHERS_MAX;
  }

  /** Takes over the answer of one request. */
  add(key: string, response: ServerResponse): void {
    this.#streams.set(response, key);
    response.once("close", () => this.#streams.delete(response));
    response.writeHead(200, { "Content-Type": "application/x-ndjson" });
    response.write(CHANGED_LINE);
    this.#timer ??= this.#timers.after(ALIVE_MS, () => this.#sayAlive());
  }

  tell(keys: ReadonlySet<string>): void {
    for (const [response, key] of this.#streams) if (keys.has(key)) this.#write(response, CHANGED_LINE);
  }

  close(): void {
    this.#timer?.cancel();
    for (const response of this.#streams.keys()) response.destroy();
  }

  #sayAlive(): void {
    for (const response of this.#streams.keys()) this.#write(response, ALIVE_LINE);
    this.#timer = this.#streams.size === 0 ? null : this.#timers.after(ALIVE_MS, () => this.#sayAlive());
  }

  #write(response: ServerResponse, line: string): void {
    if (response.writableLength > UNREAD_BYTES_MAX) response.destroy();
    else response.write(line);
  }
}
