import assert from "node:assert/strict";
import type { TestContext } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { SeededRandom } from "../../../src/base/random.ts";
import { checkHistory } from "../../support/linearizability/check-history.ts";
import { HistoryRecorder } from "../../support/linearizability/history-recorder.ts";
import type { Outcome, RegisterOperation, RegisterResult } from "../../support/linearizability/history.ts";
import { ClientConnection, type ClientRequest, type Exchange } from "./client-connection.ts";
import { chooseOperation, HotKeys } from "./hot-keys.ts";
import { type LedgerRow, type LedgerVerdict, verdictOf } from "./ledger.ts";
import { codeOf, outcomeOf, requestFor } from "./register-request.ts";
import { scanAll } from "./scan-pages.ts";

export interface TrafficOptions {
  /** Nodes that clients talk to, any of them for any key. */
  readonly addresses: readonly string[];
  readonly seed: number;
  /** Clients that read and write a few hot keys, for the check of linearizability. Default 10. */
  readonly registerClients?: number;
  /** Clients that write each key once, for the count of what is missing at the end. Default 10. */
  readonly ledgerClients?: number;
  /** Mean pause of a client between two requests. Default 10. */
  readonly thinkMs?: number;
  /** Bytes of a ledger value, at most. Default 2000. */
  readonly valueBytesMax?: number;
  /** Added to the path of every write of the ledger: `?durability=in-sync`. */
  readonly ledgerQuery?: string;
  /** How long a client waits for an answer before it counts its operation as lost; default longer than any node takes. */
  readonly timeoutMs?: (client: number) => number;
  /** Also records the writes of the ledger, for the check of the log's order. */
  readonly recordsLedger?: boolean;
  /**
   * Some reads are strict; increments and writes with a condition carry an Idempotency-Key and are repeated until their fate is known;
   * some writes of the ledger are read back, from whatever copy, with the token of their answer.
   */
  readonly usesOptions?: boolean;
  /** Told of everything that ended, as it ends. */
  readonly onEnded?: (ended: EndedOperation) => void;
}

/** An operation that a client was done with just now. */
export interface EndedOperation {
  readonly key: string;
  /** It only read, be it because its condition did not hold. */
  readonly isRead: boolean;
  /** Of the run's clock. */
  readonly calledAtMs: number;
  readonly outcome: Outcome;
}

interface RegisterRequest {
  readonly client: number;
  readonly operation: RegisterOperation;
  readonly request: ClientRequest;
  readonly random: SeededRandom;
}

interface CountedOperation {
  readonly key: string;
  readonly operation: RegisterOperation;
  readonly outcome: Outcome;
  readonly calledAtMs: number;
}

/** A client that was refused waits a little, as a polite one does. */
const REFUSED_PAUSE_MS = 25;
const FINAL_READ_MS_MAX = 20_000;
const RATE_WINDOW_MS = 1000;
const IDEMPOTENCY_KEY = "Idempotency-Key";
const STRICT_SHARE = 0.1;
const TOKEN_READ_SHARE = 0.2;
const ATTEMPTS_MAX = 8;
const REPEAT_PAUSE_MS = 250;

/**
 * Clients under whose load faults are injected, and the record of everything they were told.
 *
 * Owns the history for the linearizability check and the ledger of keys written once. An answer that the interface does not
 * allow is kept in `faults`, which `finish` demands to be empty.
 */
export class Traffic {
  readonly recorder: HistoryRecorder;
  readonly ledger: Map<string, LedgerRow> = new Map();
  readonly faults: string[] = [];
  /** While a node of another cluster stands at an address of this one. */
  mayMeetStranger = false;
  /** How often each code of a refusal was answered. */
  readonly refusals: Map<string, number> = new Map();
  readonly #options: TrafficOptions;
  readonly #random: SeededRandom;
  readonly #name: string;
  readonly #hot: HotKeys;
  readonly #acknowledgedAtMs: number[] = [];
  readonly #clients: Promise<void>[] = [];
  #isStopping = false;
  acknowledgedWrites = 0;
  answeredReads = 0;
  /** Operations without an answer that were known to have happened once they were sent again with their key. */
  settledByRepetition = 0;
  tokenReads = 0;

  private constructor(options: TrafficOptions) {
    this.#options = options;
    this.#random = new SeededRandom(options.seed);
    this.#name = options.seed.toString(36);
    this.recorder = new HistoryRecorder(() => performance.now());
    this.#hot = new HotKeys(this.#name);
  }

  /** Clients that begin at once, and end with the test however it ends. */
  static start(test: Pick<TestContext, "after">, options: TrafficOptions): Traffic {
    const traffic = new Traffic(options);
    test.after(async () => traffic.stop());
    traffic.#start();
    return traffic;
  }

  #start(): void {
    const { registerClients = 10, ledgerClients = 10 } = this.#options;
    for (let client = 0; client < registerClients + ledgerClients; client++) {
      const random = this.#random.fork(`client ${client}`);
      const isLedger = client >= registerClients;
      this.#clients.push(isLedger ? this.#runLedgerClient(client, random) : this.#runRegisterClient(client, random));
    }
  }

  /** Lets every client finish its request. */
  async stop(): Promise<void> {
    this.#isStopping = true;
    await Promise.all(this.#clients);
  }

  /** Acknowledged writes within the last second. */
  get writesPerSecond(): number {
    const since = performance.now() - RATE_WINDOW_MS;
    let count = 0;
    for (let index = this.#acknowledgedAtMs.length - 1; index >= 0; index--) {
      if ((this.#acknowledgedAtMs[index] ?? 0) < since) break;
      count++;
    }
    return count;
  }

  /** Waits until so many writes were acknowledged within a second; gives how many there were. */
  async reach(writesPerSecond: number, timeoutMs = 60_000): Promise<number> {
    const endMs = performance.now() + timeoutMs;
    while (this.writesPerSecond < writesPerSecond) {
      if (performance.now() > endMs) {
        throw new Error(`${this.writesPerSecond} acknowledged writes/s, not ${writesPerSecond}, after ${timeoutMs} ms`);
      }
      await sleep(20);
    }
    return this.writesPerSecond;
  }

  /**
   * Reads everything back through `address`, checks that the history is linearizable, final reads included, and compares the ledger.
   * Call it when the clients have stopped and the cluster is whole. Fails unless every answer was lawful.
   */
  async finish(address: string): Promise<LedgerVerdict> {
    assert.deepEqual(this.faults, [], "every answer is one that the interface allows");
    await this.#readHotKeys(address);
    const violations = checkHistory(this.recorder.history());
    assert.equal(violations.length, 0, violations.map((violation) => violation.report).join("\n\n"));
    return verdictOf(this.ledger, await scanAll(address, this.ledgerPrefix));
  }

  /** `finish`, and nothing is missing or resurrected. */
  async finishWell(address: string): Promise<LedgerVerdict> {
    const verdict = await this.finish(address);
    assert.deepEqual(verdict.missing, [], "acknowledged writes that are missing");
    assert.deepEqual(verdict.resurrected, [], "refused writes that are visible");
    return verdict;
  }

  /** Keys of the ledger begin with it. */
  get ledgerPrefix(): string {
    return `l:${this.#name}:`;
  }

  async #runLedgerClient(client: number, random: SeededRandom): Promise<void> {
    const connection = new ClientConnection();
    const { valueBytesMax = 2000, ledgerQuery = "", recordsLedger = false } = this.#options;
    for (let count = 0; !this.#isStopping; count++) {
      const key = `${this.ledgerPrefix}${client}:${count}`;
      const value = `${key}|`.padEnd(random.below(valueBytesMax), random.hex64());
      const operation: RegisterOperation = { kind: "put", value };
      const id = recordsLedger ? this.recorder.invoke(client, key, operation) : null;
      const calledAtMs = performance.now();
      const request = requestFor(key, operation);
      const exchange = await connection.send(this.#anyNode(random), {
        ...request,
        path: request.path + ledgerQuery,
        ...this.#deadline(client),
      });
      const outcome = this.#judge(operation, exchange);
      if (id !== null) this.recorder.complete(id, outcome);
      const token = exchange.kind === "answer" && outcome.kind === "ok" ? exchange.headers["kv-token"] : undefined;
      if (typeof token === "string" && this.#options.usesOptions === true && random.next() < TOKEN_READ_SHARE) {
        await this.#readWithToken(connection, { client, key, value, token, random });
      }
      this.ledger.set(key, { value, outcome: outcome.kind });
      this.#count({ key, operation, outcome, calledAtMs });
      await this.#pause(outcome, random);
    }
    connection.close();
  }

  async #runRegisterClient(client: number, random: SeededRandom): Promise<void> {
    const connection = new ClientConnection();
    for (let count = 0; !this.#isStopping; count++) {
      const hot = this.#hot.pick(random);
      const operation = chooseOperation(hot, `${client}.${count}`, random);
      const key = hot.name;
      const id = this.recorder.invoke(client, key, operation);
      const calledAtMs = performance.now();
      const request = this.#withOptions(requestFor(key, operation), operation, { client, count, random });
      const outcome = await this.#sendUntilCertain(connection, { client, operation, request, random });
      this.recorder.complete(id, outcome);
      if (outcome.kind === "ok" && "version" in outcome.result && hot.name === key) {
        hot.version = outcome.result.version ?? hot.version;
      }
      this.#count({ key, operation, outcome, calledAtMs });
      await this.#pause(outcome, random);
    }
    connection.close();
  }

  #withOptions(
    request: ClientRequest,
    { kind }: RegisterOperation,
    { client, count, random }: { client: number; count: number; random: SeededRandom },
  ): ClientRequest {
    if (this.#options.usesOptions !== true) return request;
    if (kind === "get") {
      return random.next() < STRICT_SHARE ? { ...request, path: `${request.path}?consistency=strict` } : request;
    }
    if (kind !== "increment" && kind !== "putIfVersion") return request;
    return { ...request, headers: { ...request.headers, [IDEMPOTENCY_KEY]: `${this.#name}.${client}.${count}` } };
  }

  /** A request with an Idempotency-Key is sent again, to any node, as long as nobody can say what became of it (rule U2). */
  async #sendUntilCertain(
    connection: ClientConnection,
    { client, operation, request, random }: RegisterRequest,
  ): Promise<Outcome> {
    const isRepeatable = request.headers?.[IDEMPOTENCY_KEY] !== undefined;
    let mayHaveHappened = false;
    for (let attempt = 1; ; attempt++) {
      const sent = { ...request, ...this.#deadline(client) };
      const outcome = this.#judge(operation, await connection.send(this.#anyNode(random), sent));
      if (outcome.kind === "ok") {
        if (attempt > 1 && mayHaveHappened) this.settledByRepetition++;
        return outcome;
      }
      mayHaveHappened ||= outcome.kind === "unknown";
      if (!isRepeatable || attempt === ATTEMPTS_MAX || this.#isStopping) {
        return mayHaveHappened ? { kind: "unknown" } : outcome;
      }
      await sleep(REPEAT_PAUSE_MS);
    }
  }

  /** Whichever copy answers, it must have what was acknowledged with this token. */
  async #readWithToken(
    connection: ClientConnection,
    {
      client,
      key,
      value,
      token,
      random,
    }: { client: number; key: string; value: string; token: string; random: SeededRandom },
  ): Promise<void> {
    const request = requestFor(key, { kind: "get" });
    const exchange = await connection.send(this.#anyNode(random), {
      ...request,
      path: `${request.path}?consistency=eventual`,
      headers: { "KV-Token": token },
      ...this.#deadline(client),
    });
    const outcome = this.#judge({ kind: "get" }, exchange);
    if (outcome.kind !== "ok") return;
    this.tokenReads++;
    const { result } = outcome;
    if (result.kind === "value" && result.value === value) return;
    this.faults.push(`stale: ${key}, acknowledged before, was ${result.kind} for a reader with its token`);
  }

  #deadline(client: number): { readonly timeoutMs?: number } {
    const { timeoutMs } = this.#options;
    return timeoutMs === undefined ? {} : { timeoutMs: timeoutMs(client) };
  }

  #judge(operation: RegisterOperation, exchange: Exchange): Outcome {
    const code = exchange.kind === "answer" ? codeOf(exchange) : undefined;
    if (code !== undefined) this.refusals.set(code, (this.refusals.get(code) ?? 0) + 1);
    try {
      return outcomeOf(operation, exchange, this.mayMeetStranger);
    } catch (error) {
      this.faults.push(error instanceof Error ? error.message : String(error));
      return operation.kind === "get" ? { kind: "notApplied" } : { kind: "unknown" };
    }
  }

  #count({ key, operation, outcome, calledAtMs }: CountedOperation): void {
    const isRead = operation.kind === "get" || (outcome.kind === "ok" && !hasWritten(outcome.result));
    this.#options.onEnded?.({ key, isRead, calledAtMs, outcome });
    if (outcome.kind !== "ok") return;
    if (operation.kind === "get") {
      this.answeredReads++;
      return;
    }
    if (!hasWritten(outcome.result)) return;
    this.acknowledgedWrites++;
    this.#acknowledgedAtMs.push(performance.now());
  }

  async #pause(outcome: Outcome, random: SeededRandom): Promise<void> {
    const { thinkMs = 10 } = this.#options;
    await sleep(random.next() * 2 * thinkMs + (outcome.kind === "ok" ? 0 : REFUSED_PAUSE_MS));
  }

  #anyNode(random: SeededRandom): string {
    const { addresses } = this.#options;
    return addresses[random.below(addresses.length)] ?? "";
  }

  async #readHotKeys(address: string): Promise<void> {
    const connection = new ClientConnection();
    const keys = new Set(this.recorder.history().map(({ key }) => key));
    for (const key of keys) {
      // Those are read by a scan.
      if (key.startsWith(this.ledgerPrefix)) continue;
      const endMs = performance.now() + FINAL_READ_MS_MAX;
      for (;;) {
        const id = this.recorder.invoke(-1, key, { kind: "get" });
        const outcome = outcomeOf({ kind: "get" }, await connection.send(address, requestFor(key, { kind: "get" })));
        this.recorder.complete(id, outcome);
        if (outcome.kind === "ok") break;
        // A member that has just become the leader, or lost one, may refuse a moment longer.
        assert(performance.now() < endMs, `the final read of ${key} through ${address} is answered`);
        await sleep(REFUSED_PAUSE_MS);
      }
    }
    connection.close();
  }
}

function hasWritten(result: RegisterResult): boolean {
  return result.kind === "written" || result.kind === "incremented" || (result.kind === "deleted" && result.existed);
}
