import { setTimeout as sleep } from "node:timers/promises";
import type { SeededRandom } from "../../../src/base/random.ts";
import type { LedgerRow } from "../../cluster/support/ledger.ts";
import { RespClient } from "../../support/resp-client.ts";
import type { Ending } from "./load-log.ts";

export interface RespLedgerOptions {
  /** RESP addresses of nodes, any of them for any key. */
  readonly addresses: readonly string[];
  readonly random: SeededRandom;
  /** Of the keys that it writes. */
  readonly prefix: string;
  readonly thinkMs: number;
  readonly timeoutMs: number;
  /** Gets a row for every write, for the comparison at the end. */
  readonly ledger: Map<string, LedgerRow>;
  /** Gets answers that no rule of the interface allows, and stale ones. */
  readonly faults: string[];
  readonly onEnded: (key: string, ended: { isRead: boolean; calledAtMs: number; ending: Ending }) => void;
}

interface Connected {
  readonly address: string;
  readonly client: RespClient;
}

const PAUSE_REFUSED_MS = 25;

/**
 * A client that speaks RESP: writes each key once, through any node, and reads it at once through another. What was acknowledged
 * must be there from then on.
 */
export class RespLedger {
  readonly #options: RespLedgerOptions;
  #writing: Connected | null = null;
  #reading: Connected | null = null;

  constructor(options: RespLedgerOptions) {
    this.#options = options;
  }

  async run(isStopping: () => boolean): Promise<void> {
    const { prefix, ledger, random, thinkMs } = this.#options;
    for (let count = 0; !isStopping(); count++) {
      const key = `${prefix}${count}`;
      const value = `${key}|${random.hex64()}`;
      const ending = await this.#write(key, value);
      ledger.set(key, { value, outcome: ending });
      if (ending === "ok") await this.#readBack(key, value);
      await sleep(random.next() * 2 * thinkMs + (ending === "ok" ? 0 : PAUSE_REFUSED_MS));
    }
    this.#writing?.client.close();
    this.#reading?.client.close();
  }

  async #write(key: string, value: string): Promise<Ending> {
    const calledAtMs = performance.now();
    this.#writing ??= await this.#connect();
    let ending: Ending = "notApplied";
    if (this.#writing !== null) {
      const reply = await this.#ask(this.#writing.client, ["SET", key, value]);
      ending = reply === null || reply.startsWith("-UNKNOWN") ? "unknown" : reply === "+OK\r\n" ? "ok" : "notApplied";
      if (reply !== null && !/^(\+OK|-UNKNOWN|-TRYAGAIN)/.test(reply)) {
        this.#options.faults.push(`SET was answered ${JSON.stringify(reply)} by ${this.#writing.address}`);
      }
    }
    this.#options.onEnded(key, { isRead: false, calledAtMs, ending });
    if (ending !== "ok") this.#writing = drop(this.#writing);
    return ending;
  }

  async #readBack(key: string, value: string): Promise<void> {
    const calledAtMs = performance.now();
    this.#reading ??= await this.#connect();
    const reply = this.#reading === null ? null : await this.#ask(this.#reading.client, ["GET", key]);
    const isAnswered = reply !== null && !/^-(TRYAGAIN|UNKNOWN)/.test(reply);
    if (isAnswered && reply !== `$${value.length}\r\n${value}\r\n`) {
      const answer = JSON.stringify(reply.slice(0, 200));
      this.#options.faults.push(`stale: GET of ${key}, acknowledged before, was ${answer} (${this.#reading?.address})`);
    }
    const ending = isAnswered ? "ok" : reply === null ? "unknown" : "notApplied";
    this.#options.onEnded(key, { isRead: true, calledAtMs, ending });
    if (!isAnswered) this.#reading = drop(this.#reading);
  }

  async #connect(): Promise<Connected | null> {
    const { addresses, random, timeoutMs } = this.#options;
    const address = addresses[random.below(addresses.length)] ?? "";
    try {
      const client = await withDeadline(RespClient.open(address), timeoutMs);
      return client === null ? null : { address, client };
    } catch {
      return null;
    }
  }

  /** null when the answer is lost. */
  async #ask(client: RespClient, words: readonly string[]): Promise<string | null> {
    try {
      return await withDeadline(client.ask(...words), this.#options.timeoutMs);
    } catch {
      return null;
    }
  }
}

function drop(connected: Connected | null): null {
  connected?.client.close();
  return null;
}

async function withDeadline<Value>(work: Promise<Value>, timeoutMs: number): Promise<Value | null> {
  const over = new AbortController();
  try {
    const tooLate = sleep(timeoutMs, null, { signal: over.signal }).catch(() => null);
    return await Promise.race([work, tooLate]);
  } finally {
    over.abort();
    // Whoever loses the race may still fail.
    work.catch(() => {});
  }
}
