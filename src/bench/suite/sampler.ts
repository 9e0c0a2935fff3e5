/**
 * Takes a sample again and again until it is stopped. Owns the rhythm: the next one is taken `intervalMs` after the last
 * one came. A sample that fails makes `stop` throw: a run that was not watched is not judged.
 */
export class Sampler<Sample> {
  readonly #samples: Sample[] = [];
  readonly #done: Promise<void>;
  #isStopped = false;
  #failure: Error | null = null;

  /** `take` may ask for the seconds since the start: a busy server answers late, with what is true then. */
  constructor(intervalMs: number, take: (atSeconds: () => number) => Promise<Sample>) {
    this.#done = this.#watch(intervalMs, take);
  }

  async stop(): Promise<readonly Sample[]> {
    this.#isStopped = true;
    await this.#done;
    if (this.#failure !== null) throw this.#failure;
    return this.#samples;
  }

  async #watch(intervalMs: number, take: (atSeconds: () => number) => Promise<Sample>): Promise<void> {
    const startedMs = performance.now();
    try {
      while (!this.#isStopped) {
        this.#samples.push(await take(() => (performance.now() - startedMs) / 1000));
        await new Promise<void>((resolve) => {
          setTimeout(resolve, intervalMs);
        });
      }
    } catch (error) {
      this.#failure = error instanceof Error ? error : new Error(String(error));
    }
  }
}
