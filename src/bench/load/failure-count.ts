/** Failures of one kind. */
export interface FailureKind {
  readonly count: number;
  /** What the first of them said. */
  readonly first: string;
}

/** More kinds than there are errors; what a strange server invents beyond is counted together. */
const KINDS_MAX = 64;

/** Counts failures by their code, with the first message of each. */
export class FailureCount {
  readonly #kinds = new Map<string, { count: number; readonly first: string }>();
  #first: string | null = null;
  #total = 0;

  get total(): number {
    return this.#total;
  }

  /** What the very first failure looked like; null when there was none. */
  get first(): string | null {
    return this.#first;
  }

  add(code: string, text: string): void {
    this.#total += 1;
    this.#first ??= `${code}: ${text}`;
    const kind = this.#kinds.has(code) || this.#kinds.size < KINDS_MAX ? code : "OTHER";
    const known = this.#kinds.get(kind);
    if (known === undefined) this.#kinds.set(kind, { count: 1, first: text });
    else known.count += 1;
  }

  /** The most frequent first. */
  byKind(): ReadonlyMap<string, FailureKind> {
    return new Map([...this.#kinds].sort(([, one], [, other]) => other.count - one.count));
  }
}
