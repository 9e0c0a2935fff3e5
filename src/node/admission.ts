/**
 * Counts requests that wait for another node, and says no when they are too many: of the whole node, and of one shard, so
 * that a shard without a leader does not take the places of all others.
 */
export class Admission {
  readonly #countMax: number;
  readonly #perShardMax: number;
  readonly #countOfShard = new Map<string, number>();
  #count = 0;

  constructor(countMax: number, perShardMax: number) {
    this.#countMax = countMax;
    this.#perShardMax = perShardMax;
  }

  get count(): number {
    return this.#count;
  }

  /** Takes a place; false when there is none. Each place is given back by one `leave`. */
  enter(shard: string): boolean {
    const ofShard = this.#countOfShard.get(shard) ?? 0;
    if (this.#count >= this.#countMax || ofShard >= this.#perShardMax) return false;
    this.#count++;
    this.#countOfShard.set(shard, ofShard + 1);
    return true;
  }

  leave(shard: string): void {
    this.#count--;
    this.#countOfShard.set(shard, (this.#countOfShard.get(shard) ?? 1) - 1);
  }
}
