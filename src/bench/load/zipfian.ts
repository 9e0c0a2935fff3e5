import type { Random } from "../../base/random.ts";

/** Up to here the sum is exact; behind it an integral with two correction terms is right to about 15 digits. */
const EXACT_TERMS = 10_000;

/**
 * Draws ranks from 0 on, rank r with a probability proportional to 1 / (r + 1)^theta: the algorithm of Gray et al.,
 * "Quickly generating billion-record synthetic databases" (SIGMOD 1994), as YCSB uses it (Cooper et al. 2010).
 *
 * Owns the constants for its number of ranks; the number may grow, at constant cost for each new rank.
 */
export class Zipfian {
  readonly #theta: number;
  readonly #random: Random;
  readonly #alpha: number;
  readonly #zeta2: number;
  /** Of rank 0 and 1 together, relative to that of rank 0. */
  readonly #firstTwo: number;
  #count: number;
  #zeta: number;
  #eta: number;

  /** `theta` lies between 0 (uniform) and 1, both excluded; the algorithm has no answer at 1. */
  constructor(count: number, theta: number, random: Random) {
    this.#theta = theta;
    this.#random = random;
    this.#alpha = 1 / (1 - theta);
    this.#zeta2 = zeta(2, theta);
    this.#firstTwo = 1 + 0.5 ** theta;
    this.#count = count;
    this.#zeta = zeta(count, theta);
    this.#eta = this.#computeEta();
  }

  /** A rank below the count. */
  next(): number {
    const u = this.#random.next();
    const share = u * this.#zeta;
    if (share < 1) return 0;
    if (share < this.#firstTwo) return Math.min(1, this.#count - 1);
    const rank = Math.floor(this.#count * (this.#eta * u - this.#eta + 1) ** this.#alpha);
    return Math.min(rank, this.#count - 1);
  }

  /** Makes it `count` ranks, no fewer than before. */
  growTo(count: number): void {
    if (count <= this.#count) return;
    for (let rank = this.#count + 1; rank <= count; rank++) this.#zeta += rank ** -this.#theta;
    this.#count = count;
    this.#eta = this.#computeEta();
  }

  #computeEta(): number {
    return (1 - (2 / this.#count) ** (1 - this.#theta)) / (1 - this.#zeta2 / this.#zeta);
  }
}

/** The sum of 1 / i^theta for i from 1 to `count` (Euler–Maclaurin behind the first terms). */
export function zeta(count: number, theta: number): number {
  const exactCount = Math.min(count, EXACT_TERMS);
  let sum = 0;
  for (let i = 1; i <= exactCount; i++) sum += i ** -theta;
  if (count === exactCount) return sum;
  const integral = (count ** (1 - theta) - exactCount ** (1 - theta)) / (1 - theta);
  const ends = (count ** -theta - exactCount ** -theta) / 2;
  const slopes = (theta * (exactCount ** (-theta - 1) - count ** (-theta - 1))) / 12;
  return sum + integral + ends + slopes;
}
