import { randomBytes, randomUUID } from "node:crypto";

/** A source of chance. Handed in everywhere, so that a simulation can replay it. */
export interface Random {
  /** A float in [0, 1). */
  next(): number;
  /** 64 random bits as 16 lower-case hex digits: a leadership term (rule G6) or a boot id. */
  hex64(): string;
  /** A random UUID (version 4): a store id. */
  uuid(): string;
}

/** The operating system's randomness. */
export class SystemRandom implements Random {
  next(): number {
    return randomBytes(6).readUIntLE(0, 6) / 2 ** 48;
  }

  hex64(): string {
    return randomBytes(8).toString("hex");
  }

  uuid(): string {
    return randomUUID();
  }
}

/**
 * A replayable generator: sfc32 by Chris Doty-Humphrey (PractRand), seeded by splitmix32 steps.
 *
 * `fork(name)` gives an independent sub-stream, so that drawing more from one concern (say, the disk) does not reshuffle
 * another (say, the network).
 */
export class SeededRandom implements Random {
  readonly #seed: number;
  #a: number;
  #b: number;
  #c: number;
  #counter = 1;

  constructor(seed: number) {
    this.#seed = seed >>> 0;
    let state = this.#seed;
    const nextSeed = (): number => {
      state = (state + 0x9e3779b9) | 0;
      let mixed = state ^ (state >>> 16);
      mixed = Math.imul(mixed, 0x21f0aaad);
      mixed ^= mixed >>> 15;
      mixed = Math.imul(mixed, 0x735a2d97);
      return (mixed ^ (mixed >>> 15)) | 0;
    };
    this.#a = nextSeed();
    this.#b = nextSeed();
    this.#c = nextSeed();
    for (let i = 0; i < 12; i++) this.#word();
  }

  fork(name: string): SeededRandom {
    let mixed = this.#seed ^ 0x811c9dc5;
    for (let i = 0; i < name.length; i++) mixed = Math.imul(mixed ^ name.charCodeAt(i), 0x01000193);
    return new SeededRandom(mixed);
  }

  next(): number {
    return this.#word() / 2 ** 32;
  }

  /** An integer in [0, bound). */
  below(bound: number): number {
    return Math.floor(this.next() * bound);
  }

  hex64(): string {
    return this.#hex32() + this.#hex32();
  }

  uuid(): string {
    const hex = this.hex64() + this.hex64();
    return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-4${hex.slice(13, 16)}-a${hex.slice(17, 20)}-${hex.slice(20, 32)}`;
  }

  #hex32(): string {
    return this.#word().toString(16).padStart(8, "0");
  }

  #word(): number {
    const sum = (((this.#a + this.#b) | 0) + this.#counter) | 0;
    this.#counter = (this.#counter + 1) | 0;
    this.#a = this.#b ^ (this.#b >>> 9);
    this.#b = (this.#c + (this.#c << 3)) | 0;
    this.#c = ((this.#c << 21) | (this.#c >>> 11)) + sum;
    this.#c |= 0;
    return sum >>> 0;
  }
}
