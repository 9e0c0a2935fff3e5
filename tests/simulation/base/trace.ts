/** Where the lines of a traced run go; null when nobody reads them. */
export type TraceSink = ((line: string) => void) | null;

/**
 * A running hash over everything that happened in a run: two runs with equal hashes took the same course. Lines are only made
 * when there is a sink.
 */
export class Trace {
  readonly #sink: TraceSink;
  readonly #labelHashes: Map<string, number> = new Map();
  readonly #float = new Float64Array(1);
  readonly #words = new Uint32Array(this.#float.buffer);
  #high = 0x811c9dc5;
  #low = 0x1000193;

  constructor(sink: TraceSink) {
    this.#sink = sink;
  }

  /** Whether a detail that is costly to make is worth making: it is not part of the hash then. */
  get isRead(): boolean {
    return this.#sink !== null;
  }

  /** Notes that `label` happened at `timeMs`. Called for every event. */
  event(timeMs: number, label: string): void {
    this.#float[0] = timeMs;
    this.#mix(this.#words[0] ?? 0);
    this.#mix(this.#words[1] ?? 0);
    this.#mix(this.#hashOf(label));
  }

  /** Notes something worth reading about. `detail` is part of the hash. */
  note(timeMs: number, label: string, detail: string): void {
    this.event(timeMs, label);
    this.#mix(hashText(detail));
    this.#sink?.(`${timeMs.toFixed(3).padStart(12)}  ${label.padEnd(20)} ${detail}`);
  }

  /** Like `note`, but costs nothing and hashes nothing when nobody reads. */
  remark(timeMs: number, label: string, detail: () => string): void {
    this.#sink?.(`${timeMs.toFixed(3).padStart(12)}  ${label.padEnd(20)} ${detail()}`);
  }

  /** The hash so far, 16 hex digits. */
  get hash(): string {
    return hex32(this.#high) + hex32(this.#low);
  }

  #hashOf(label: string): number {
    const known = this.#labelHashes.get(label);
    if (known !== undefined) return known;
    const hash = hashText(label);
    this.#labelHashes.set(label, hash);
    return hash;
  }

  #mix(word: number): void {
    this.#high = Math.imul(this.#high ^ word, 0x9e3779b1);
    this.#high ^= this.#high >>> 15;
    this.#low = Math.imul((this.#low ^ word) + this.#high, 0x85ebca6b);
    this.#low ^= this.#low >>> 13;
  }
}

function hashText(text: string): number {
  let hash = 0x811c9dc5;
  for (let i = 0; i < text.length; i++) hash = Math.imul(hash ^ text.charCodeAt(i), 0x01000193);
  return hash;
}

function hex32(word: number): string {
  return (word >>> 0).toString(16).padStart(8, "0");
}
