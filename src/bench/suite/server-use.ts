import { median } from "./statistics.ts";

/** A server whose CPU time can be read. */
export interface UsingCpu {
  readonly cpuSeconds: number;
}

const SHARE_MIN = 0.85;

/**
 * Gathers how much of its core each server used while it was loaded. A server that was not busy was not what limited the
 * figure: its load generator, its disk or another program was, and the reader should know.
 */
export class ServerUse {
  readonly #shares = new Map<string, number[]>();

  /** Measures `run`; warming up is part of it, so the share is a little low. */
  async during<T>(name: string, server: UsingCpu, run: () => Promise<T>): Promise<T> {
    const startedMs = performance.now();
    const before = server.cpuSeconds;
    const result = await run();
    const share = (server.cpuSeconds - before) / ((performance.now() - startedMs) / 1000);
    this.#shares.set(name, [...(this.#shares.get(name) ?? []), share]);
    return result;
  }

  /** "of its core, kv used 98 %, Redis 97 %", with a warning where it was little. */
  notes(): string[] {
    const medians = [...this.#shares].map(([name, shares]) => ({ name, share: median(shares) }));
    const idle = medians.filter(({ share }) => share < SHARE_MIN).map(({ name }) => name);
    const shown = medians.map(({ name, share }) => `${name} ${(share * 100).toFixed(0)} %`).join(", ");
    const warning = idle.length === 0 ? "" : ` (${idle.join(", ")}: not the CPU alone was the limit)`;
    return [`CPU used while loaded: ${shown}${warning}`];
  }
}
