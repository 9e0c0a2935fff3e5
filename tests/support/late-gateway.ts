import { SeededRandom } from "../../src/base/random.ts";
import type { KeyOperation, ReplyCallback, RequestOptions } from "../../src/model/operation.ts";
import { MemoryGateway } from "./memory-gateway.ts";

const DELAY_MS_MAX = 3;
/** Stands still, so that two stores that are asked the same say the same. */
const CLOCK = { nowMs: () => 0, wallMs: () => 1_800_000_000_000 };

/**
 * A memory gateway whose replies come at once, in a later turn, or milliseconds later, at random: those to several clients in
 * another order than they asked.
 */
export class LateGateway extends MemoryGateway {
  readonly #random: SeededRandom;

  constructor(seed: number) {
    super("127.0.0.1:1", CLOCK);
    this.#random = new SeededRandom(seed);
  }

  override execute(operation: KeyOperation, options: RequestOptions, done: ReplyCallback): void {
    super.execute(operation, options, (reply) => {
      const chance = this.#random.below(10);
      if (chance < 5) done(reply);
      else if (chance < 8) setImmediate(() => done(reply));
      else setTimeout(() => done(reply), this.#random.below(DELAY_MS_MAX));
    });
  }
}
