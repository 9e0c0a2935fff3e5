import type { Simulation } from "../base/simulation.ts";

/** A request that increments a counter by one, however often it is sent. */
export interface CounterRequest {
  readonly id: string;
  readonly counter: Counter;
  readonly firstSentMs: number;
  /** What the counter came to, once somebody has said so. */
  value: number | null;
  /** Whether a copy of it may still be somewhere on its way. */
  isSettled: boolean;
}

/** One counter: it only ever grows, by one for each request that takes effect. */
export interface Counter {
  readonly key: string;
  readonly shard: string;
  /** Requests made so far. */
  requestCount: number;
  /** What was acknowledged, and when, in the order of the acknowledgements. */
  readonly acknowledged: { readonly value: number; readonly atMs: number }[];
}

/**
 * What is true of counters whatever happens: an increment that was acknowledged happened once (rule U2), and a read shows at least
 * what its kind promises.
 */
export class CounterBook {
  readonly #simulation: Simulation;
  /** Whether promotions may lose what was acknowledged: then a counter may fall back, and only sessions notice. */
  readonly #mayLose: boolean;
  readonly counters: readonly Counter[];
  readonly #owners = new Map<string, string>();

  constructor(
    simulation: Simulation,
    parts: {
      readonly counters: readonly { readonly key: string; readonly shard: string }[];
      readonly mayLose: boolean;
    },
  ) {
    this.#simulation = simulation;
    this.#mayLose = parts.mayLose;
    this.counters = parts.counters.map((counter) => ({ ...counter, requestCount: 0, acknowledged: [] }));
  }

  /** `request` was answered: the counter is at `value` by it. */
  acknowledge(request: CounterRequest, value: number): void {
    const { counter, id } = request;
    const before = request.value;
    if (this.#mayLose) {
      request.value = value;
      return;
    }
    if (before !== null && before !== value) {
      this.#fail("a request has its effect once", `${id} was answered ${before}, and again ${value}`);
      return;
    }
    if (before !== null) this.#simulation.markers.sometimes("request answered again");
    request.value = value;
    const place = `${counter.key}=${value}`;
    const owner = this.#owners.get(place);
    if (owner !== undefined && owner !== id) {
      this.#fail("an acknowledged request is not lost", `${owner} and ${id} both brought ${place}`);
    }
    this.#owners.set(place, id);
    counter.acknowledged.push({ value, atMs: this.#simulation.nowMs });
  }

  /** The least that a read must show which shows everything acknowledged until `atMs`. */
  leastAsOf(counter: Counter, atMs: number): number {
    let least = 0;
    for (const acknowledged of counter.acknowledged) {
      if (acknowledged.atMs <= atMs) least = Math.max(least, acknowledged.value);
    }
    return least;
  }

  /** A read of `counter` that promised at least `least` gave `value`. */
  checkRead(kind: string, counter: Counter, read: { readonly value: number; readonly least: number }): void {
    const { value, least } = read;
    const less = `${counter.key} is ${value}, not ${least} or more`;
    if (value < least) this.#fail(`${kind} reads keep their promise`, less);
    if (value > counter.requestCount) this.#tooMuch(counter, value);
  }

  /** What every copy holds in the end. */
  checkEnd(counter: Counter, value: number): void {
    const least = this.leastAsOf(counter, Number.POSITIVE_INFINITY);
    const less = `${counter.key} ends at ${value}, not ${least}`;
    if (value < least) this.#fail("an acknowledged request is not lost", less);
    if (value > counter.requestCount) this.#tooMuch(counter, value);
  }

  #tooMuch(counter: Counter, value: number): void {
    this.#fail("a request has its effect once", `${counter.key} is ${value} after ${counter.requestCount} requests`);
  }

  #fail(property: string, detail: string): void {
    this.#simulation.fail(property, detail);
  }
}
