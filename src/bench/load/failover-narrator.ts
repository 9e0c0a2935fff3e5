import { findListener } from "../../base/process-finder.ts";
import { formatHostPort, type HostPort } from "../../server/node-address.ts";
import { askCluster, type ClusterShard } from "./cluster-shards.ts";
import type { Outage, OutageWatch } from "./outage-watch.ts";

export interface FailoverNarratorParts {
  readonly nodes: readonly HostPort[];
  readonly shards: readonly ClusterShard[];
  readonly watches: readonly OutageWatch[];
  /** Prints a line for people. */
  readonly say: (line: string) => void;
}

const LOOK_MS = 100;

/** How many outages of a shard people were told of: that they began, and that they are over. */
interface Told {
  begun: number;
  over: number;
}

/** Tells people what happens while it happens: which shard's writes stand still, and who leads when they go on. */
export class FailoverNarrator {
  readonly #parts: FailoverNarratorParts;
  readonly #leaders: Map<string, string>;
  readonly #told: ReadonlyMap<OutageWatch, Told>;
  readonly #timer: NodeJS.Timeout;
  #asking: Promise<void> = Promise.resolve();

  constructor(parts: FailoverNarratorParts) {
    this.#parts = parts;
    this.#leaders = new Map(parts.shards.map(({ name, leader }) => [name, nameOf(leader)]));
    this.#told = new Map(parts.watches.map((watch) => [watch, { begun: 0, over: 0 }]));
    this.#timer = setInterval(() => this.#look(performance.now()), LOOK_MS);
  }

  /** Tells what is still to be told. */
  async stop(): Promise<void> {
    clearInterval(this.#timer);
    this.#look(performance.now());
    await this.#asking;
  }

  #look(nowMs: number): void {
    for (const [watch, told] of this.#told) {
      const current = watch.current(nowMs);
      for (const over of watch.ended.slice(told.over)) this.#asking = this.#tellEnd(over, this.#asking);
      told.over = watch.ended.length;
      if (current !== null && told.begun <= told.over) {
        this.#parts.say(`${at(current.fromSeconds)}  ${watch.shard}: no write is acknowledged any more`);
      }
      told.begun = told.over + (current === null ? 0 : 1);
    }
  }

  /** One after the other, so that a leader is asked for when the one before it is known. */
  async #tellEnd({ shard, fromSeconds, seconds }: Outage, earlier: Promise<void>): Promise<void> {
    await earlier;
    const leader = await this.#leaderOf(shard);
    const before = this.#leaders.get(shard);
    this.#leaders.set(shard, leader);
    const who = leader === before ? `${leader} leads as before` : `${leader} leads in place of ${before}`;
    this.#parts.say(`${at(fromSeconds + seconds)}  ${shard}: writes go on after ${seconds.toFixed(2)} s; ${who}`);
  }

  async #leaderOf(shard: string): Promise<string> {
    try {
      const shards = await askCluster(this.#parts.nodes);
      return nameOf(shards.find(({ name }) => name === shard)?.leader ?? null);
    } catch {
      return nameOf(null);
    }
  }
}

/** A line for each leader: how to kill it, where that can be told. */
export function leaderLines(shards: readonly ClusterShard[]): string[] {
  const widthMax = Math.max(...shards.map(({ name }) => name.length));
  const addressWidthMax = Math.max(...shards.map(({ leader }) => nameOf(leader).length));
  return shards.flatMap(({ name, leader }) => {
    if (leader === null) return [];
    const found = findListener(leader.port, leader.host);
    const order = found === null ? "" : `  kill -9 ${found.pid}`;
    return [`  ${name.padEnd(widthMax)}  ${formatHostPort(leader).padEnd(addressWidthMax)}${order}`.trimEnd()];
  });
}

function nameOf(leader: HostPort | null): string {
  return leader === null ? "nobody known" : formatHostPort(leader);
}

/** A moment of the load. */
function at(seconds: number): string {
  return `${seconds.toFixed(2).padStart(7)} s`;
}
