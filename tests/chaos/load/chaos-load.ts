import { setTimeout as sleep } from "node:timers/promises";
import { SeededRandom } from "../../../src/base/random.ts";
import { keyOfText } from "../../../src/model/key.ts";
import { Traffic } from "../../cluster/support/traffic.ts";
import type { LabCluster } from "../lab/lab-cluster.ts";
import { LoadLog } from "./load-log.ts";
import { RespLedger } from "./resp-ledger.ts";

export interface ChaosLoadOptions {
  readonly seed: number;
  /** Mean pause of a client between two requests. */
  readonly thinkMs: number;
}

const REGISTER_CLIENTS = 12;
const LEDGER_CLIENTS = 5;
const RESP_CLIENTS = 3;
/** Most clients give a hung node up soon; some wait through a long pause, for what a node says when it wakes. */
const TIMEOUT_MS = 3000;
const PATIENT_TIMEOUT_MS = 40_000;
const PATIENT_EVERY = 4;
/** Of the values that are written once. */
const VALUE_BYTES_MAX = 600;
const RATE_WINDOW_MS = 1000;
const POLL_MS = 20;

/** The clients of one run, over HTTP and RESP, and the log of what they were told when. */
export class ChaosLoad {
  readonly log: LoadLog = new LoadLog();
  readonly traffic: Traffic;
  readonly #respClients: readonly Promise<void>[];
  #isStopping = false;

  constructor(cluster: LabCluster, { seed, thinkMs }: ChaosLoadOptions) {
    const { topology } = cluster.config;
    const shardOf = (key: string): string => topology.shardOfKey(keyOfText(key)).name;
    const { log } = this;
    const withoutTest = { after: () => {} };
    this.traffic = Traffic.start(withoutTest, {
      addresses: cluster.nodes.map(({ name }) => name),
      seed,
      thinkMs,
      registerClients: REGISTER_CLIENTS,
      ledgerClients: LEDGER_CLIENTS,
      valueBytesMax: VALUE_BYTES_MAX,
      recordsLedger: true,
      usesOptions: true,
      timeoutMs: (client) => (client % PATIENT_EVERY === 0 ? PATIENT_TIMEOUT_MS : TIMEOUT_MS),
      onEnded: ({ key, isRead, calledAtMs, outcome }) => {
        log.note({ shard: shardOf(key), isRead, calledAtMs, endedAtMs: performance.now(), ending: outcome.kind });
      },
    });
    const random = new SeededRandom(seed);
    this.#respClients = Array.from({ length: RESP_CLIENTS }, async (_, index) => {
      const { ledger, ledgerPrefix, faults } = this.traffic;
      const client = new RespLedger({
        addresses: topology.nodes.map(({ resp }) => resp),
        random: random.fork(`resp ${index}`),
        prefix: `${ledgerPrefix}resp${index}:`,
        thinkMs,
        timeoutMs: TIMEOUT_MS,
        ledger,
        faults,
        onEnded: (key, ended) => log.note({ ...ended, shard: shardOf(key), endedAtMs: performance.now() }),
      });
      await client.run(() => this.#isStopping);
    });
  }

  get okPerSecond(): number {
    return this.log.okPerSecond(performance.now(), RATE_WINDOW_MS);
  }

  /** Waits until so many operations a second succeed; gives how many. Throws after `timeoutMs`. */
  async reach(okPerSecond: number, timeoutMs: number): Promise<number> {
    for (const endMs = performance.now() + timeoutMs; performance.now() < endMs;) {
      const rate = this.okPerSecond;
      if (rate >= okPerSecond) return rate;
      await sleep(POLL_MS);
    }
    throw new Error(`${this.okPerSecond} operations/s, not ${okPerSecond}, after ${timeoutMs} ms`);
  }

  async stop(): Promise<void> {
    this.#isStopping = true;
    await Promise.all([this.traffic.stop(), ...this.#respClients]);
  }
}
