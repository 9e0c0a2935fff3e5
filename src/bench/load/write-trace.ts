/** What a value read says, given what was acknowledged before the read began. */
export type TraceVerdict = "fresh" | "late" | "stale" | "impossible";

/**
 * Remembers for every key which write was sent last and which was acknowledged last. The writes of a key are numbered and
 * one is under way at a time, so a newer number means a newer value.
 *
 * A write that was lost without an answer may still take effect at any later time, so its number is excused for ever; what
 * is remembered of those is bounded by the number of requests without an answer.
 */
export class WriteTrace {
  readonly #sent: Uint32Array;
  readonly #acknowledged: Uint32Array;
  readonly #isUnderWay: Uint8Array;
  readonly #open = new Map<number, Set<number>>();
  #acknowledgedCount = 0;
  #openCount = 0;

  constructor(keyCount: number) {
    this.#sent = new Uint32Array(keyCount);
    this.#acknowledged = new Uint32Array(keyCount);
    this.#isUnderWay = new Uint8Array(keyCount);
  }

  get keyCount(): number {
    return this.#sent.length;
  }

  get acknowledgedCount(): number {
    return this.#acknowledgedCount;
  }

  /** Writes of which nobody can say whether they took effect. */
  get openCount(): number {
    return this.#openCount;
  }

  isUnderWay(index: number): boolean {
    return this.#isUnderWay[index] === 1;
  }

  /** The number of the key's next write, which is under way from now on. */
  begin(index: number): number {
    const counter = (this.#sent[index] ?? 0) + 1;
    this.#sent[index] = counter;
    this.#isUnderWay[index] = 1;
    return counter;
  }

  acknowledge(index: number, counter: number): void {
    this.#isUnderWay[index] = 0;
    this.#acknowledged[index] = counter;
    this.#acknowledgedCount += 1;
  }

  /** Definitely without effect. */
  refuse(index: number): void {
    this.#isUnderWay[index] = 0;
  }

  leaveOpen(index: number, counter: number): void {
    this.#isUnderWay[index] = 0;
    this.#openCount += 1;
    const known = this.#open.get(index);
    if (known === undefined) this.#open.set(index, new Set([counter]));
    else known.add(counter);
  }

  lastAcknowledged(index: number): number {
    return this.#acknowledged[index] ?? 0;
  }

  /** `counter` was read; `acknowledgedBefore` was acknowledged when the read began. */
  judge(index: number, counter: number, acknowledgedBefore: number): TraceVerdict {
    if (counter > (this.#sent[index] ?? 0)) return "impossible";
    if (counter >= acknowledgedBefore) return "fresh";
    return this.#open.get(index)?.has(counter) === true ? "late" : "stale";
  }
}
