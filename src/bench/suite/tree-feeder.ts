import { Records } from "../load/records.ts";
import { HOST } from "./cores.ts";
import { KEY_PREFIX } from "./preload.ts";
import { RespConnection } from "./resp-connection.ts";

export interface Feed {
  readonly keyCount: number;
  readonly valueBytes: number;
  readonly rowsPerSecond: number;
}

const ROWS_PER_COMMAND = 50;
const IN_FLIGHT_MAX = 20;
const TICK_MS = 5;

/**
 * Writes random rows at a steady rate, some in each command: much for the tree to do, little for the node's thread and its
 * client. Owns one connection. `stop` throws when a command failed or the rate was not kept.
 */
export class TreeFeeder {
  readonly #connection: RespConnection;
  readonly #feed: Feed;
  readonly #records: Records;
  readonly #startedMs = performance.now();
  readonly #timer: NodeJS.Timeout;
  readonly #underWay = new Set<Promise<void>>();
  #sentRows = 0;
  #failure: Error | null = null;

  private constructor(connection: RespConnection, feed: Feed) {
    this.#connection = connection;
    this.#feed = feed;
    this.#records = new Records(KEY_PREFIX, feed.valueBytes);
    this.#timer = setInterval(() => this.#sendDue(), TICK_MS);
  }

  static async start(respPort: number, feed: Feed): Promise<TreeFeeder> {
    return new TreeFeeder(await RespConnection.open(HOST, respPort), feed);
  }

  /** Returns the rows a second that were written. */
  async stop(): Promise<number> {
    clearInterval(this.#timer);
    const seconds = (performance.now() - this.#startedMs) / 1000;
    await Promise.all(this.#underWay);
    this.#connection.close();
    if (this.#failure !== null) throw this.#failure;
    return this.#sentRows / seconds;
  }

  #sendDue(): void {
    const due = ((performance.now() - this.#startedMs) / 1000) * this.#feed.rowsPerSecond;
    while (this.#sentRows + ROWS_PER_COMMAND <= due && this.#underWay.size < IN_FLIGHT_MAX) {
      this.#sentRows += ROWS_PER_COMMAND;
      const sent: Promise<void> = this.#send().finally(() => this.#underWay.delete(sent));
      this.#underWay.add(sent);
    }
  }

  async #send(): Promise<void> {
    const words = ["MSET"];
    for (let row = 0; row < ROWS_PER_COMMAND; row++) {
      const index = Math.floor(Math.random() * this.#feed.keyCount);
      words.push(this.#records.keyOf(index), this.#records.valueOf(index, this.#sentRows));
    }
    try {
      await this.#connection.ask(...words);
    } catch (error) {
      this.#failure = error instanceof Error ? error : new Error(String(error));
    }
  }
}
