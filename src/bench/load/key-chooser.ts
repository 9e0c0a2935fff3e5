import type { Random } from "../../base/random.ts";
import type { InsertOrder } from "./insert-order.ts";
import { KeyScrambler } from "./key-scrambler.ts";
import { Zipfian } from "./zipfian.ts";

export const DISTRIBUTIONS = ["uniform", "zipfian", "latest", "sequential"] as const;

export type Distribution = (typeof DISTRIBUTIONS)[number];

/** Says which key comes next, by its index. */
export type KeyChooser = () => number;

export interface KeyChoice {
  readonly distribution: Distribution;
  readonly theta: number;
  /** The keys that were loaded: what uniform, zipfian and sequential choose from. */
  readonly keyCount: number;
  readonly random: Random;
  /** What was inserted since: latest chooses from that as well, the newest most often. */
  readonly inserts: InsertOrder;
}

export function keyChooser({ distribution, theta, keyCount, random, inserts }: KeyChoice): KeyChooser {
  switch (distribution) {
    case "uniform":
      return () => Math.floor(random.next() * keyCount);
    case "zipfian": {
      const ranks = new Zipfian(keyCount, theta, random);
      const scrambler = new KeyScrambler(keyCount);
      return () => scrambler.place(ranks.next());
    }
    case "latest": {
      const ages = new Zipfian(keyCount, theta, random);
      return () => {
        const count = inserts.presentCount;
        ages.growTo(count);
        return count - 1 - ages.next();
      };
    }
    case "sequential": {
      let next = 0;
      return () => {
        const index = next;
        next = index + 1 === keyCount ? 0 : index + 1;
        return index;
      };
    }
  }
}
