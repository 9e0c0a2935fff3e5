import type { Clock, Timer, Timers } from "../base/clock.ts";
import { faultOfDocument } from "./document-fault.ts";
import type { MemberState } from "./member-environment.ts";
import type { RegisterReading, ShardRegister } from "./shard-register.ts";

export interface DocumentReaderParts {
  readonly clock: Clock;
  readonly timers: Timers;
  readonly register: Pick<ShardRegister, "read" | "watch">;
  /** What this member knows, at this moment. */
  readonly state: () => MemberState;
  /** How long a reading is good for. */
  readonly intervalMs: () => number;
  /** `fault`: what shows that the document went back, as a sentence (rule C5). */
  readonly onReading: (reading: RegisterReading, fault: string | null) => void;
}

/**
 * When the shard's document is read: once in a while, and as soon as anything hints that it has changed (rule C4).
 *
 * One reading at a time. It is of some moment between its request and its answer: a hint that comes in between is followed by
 * another reading, and only what was seen before the request can show that the document went back.
 */
export class DocumentReader {
  readonly #parts: DocumentReaderParts;
  #watch: { stop(): void } | null = null;
  #soon: Timer | null = null;
  #isReading = false;
  /** Something has changed since the reading under way was asked for, perhaps. */
  #isOvertaken = false;
  #isStopped = false;
  /** When it was asked for last. */
  readMs: number = Number.NEGATIVE_INFINITY;

  constructor(parts: DocumentReaderParts) {
    this.#parts = parts;
  }

  /** Reads now, unless a reading is under way, and from now on whenever the document changes. */
  start(): void {
    this.#watch ??= this.#parts.register.watch(() => this.readSoon());
    this.#read();
  }

  /** Calls nobody any more. */
  stop(): void {
    this.#isStopped = true;
    this.#watch?.stop();
    this.#soon?.cancel();
  }

  onTick(): void {
    if (this.#parts.clock.nowMs() - this.readMs >= this.#parts.intervalMs()) this.#read();
  }

  /** Not in this very step: whoever hints may be in the midst of a change of roles. */
  readSoon(): void {
    this.#isOvertaken = this.#isReading;
    if (this.#soon !== null || this.#isStopped) return;
    this.#soon = this.#parts.timers.after(0, () => {
      this.#soon = null;
      this.#read();
    });
  }

  #read(): void {
    if (this.#isReading || this.#isStopped) return;
    this.#isReading = true;
    this.#isOvertaken = false;
    const { clock, register, state } = this.#parts;
    this.readMs = clock.nowMs();
    const before = state();
    register.read((reading) => {
      this.#isReading = false;
      if (!this.#isStopped) this.#onReading(reading, before);
    });
  }

  #onReading(reading: RegisterReading, before: MemberState): void {
    const { state, onReading } = this.#parts;
    const isKnown = reading.kind === "known";
    const fault = isKnown ? faultOfDocument(reading.known.document, before) : null;
    const isOutdated = isKnown && fault === null && faultOfDocument(reading.known.document, state()) !== null;
    if (isOutdated || this.#isOvertaken) this.readSoon();
    if (!isOutdated) onReading(reading, fault);
  }
}
