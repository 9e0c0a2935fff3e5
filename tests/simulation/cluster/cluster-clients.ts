import type { SeededRandom } from "../../../src/base/random.ts";
import { KvError } from "../../../src/model/errors.ts";
import { keyOfText, type Key } from "../../../src/model/key.ts";
import type { KeyOperation, Reply, RequestOptions } from "../../../src/model/operation.ts";
import type { ClusterPage } from "../../../src/node/gateway.ts";
import type { RegisterOperation } from "../../support/linearizability/history.ts";
import type { Simulation } from "../base/simulation.ts";
import { type Client, ClientCalls, refused } from "./client-calls.ts";
import type { ClusterHistory, OperationNotes } from "./cluster-history.ts";
import type { ClusterShape } from "./cluster-shape.ts";
import { RegisterMapping } from "./register-mapping.ts";
import type { SimMachine } from "./sim-machine.ts";
import { WorkloadKeys } from "./workload-keys.ts";

export interface ClusterClientsOptions {
  readonly simulation: Simulation;
  readonly shape: ClusterShape;
  readonly machines: readonly SimMachine[];
  readonly history: ClusterHistory;
  /** Looks at every answer the moment it is there. */
  readonly onAnswer: (reply: Reply, notes: OperationNotes) => void;
  /** Hears of every single read before it is sent. */
  readonly onRead: (key: Key) => void;
}

const TTL_KEYS = 4;

/**
 * The clients of a run: each calls any node, waits, thinks, and calls again; some have several requests under way on one
 * connection. Everything that the checkers understand goes into the history; what they do not (keys that expire) must be
 * answered once all the same.
 */
export class ClusterClients {
  readonly #options: ClusterClientsOptions;
  readonly #random: SeededRandom;
  readonly #mapping: RegisterMapping;
  readonly #keys: WorkloadKeys;
  readonly #clients: Client[];
  readonly #calls: ClientCalls;
  #isStopped = false;

  constructor(options: ClusterClientsOptions) {
    const { simulation, shape, machines } = options;
    this.#options = options;
    this.#random = simulation.randomFor("workload");
    this.#mapping = new RegisterMapping(shape.clients.valueBytesMax);
    this.#keys = new WorkloadKeys(this.#random, shape.clients);
    this.#clients = Array.from({ length: shape.clients.clientCount }, (_, index) => ({
      index,
      depth: index % 4 === 3 ? 4 : 1,
      machine: this.#anyOf(machines),
      connection: null,
      openCount: 0,
    }));
    const onFree = (client: Client, factor: number): void => this.#think(client, factor);
    this.#calls = new ClientCalls({ simulation, random: this.#random, onFree });
  }

  start(): void {
    for (const client of this.#clients) this.#think(client, 1);
  }

  /** Calls no more; what is open goes on to its end. */
  stop(): void {
    this.#isStopped = true;
  }

  /** Answers that were ok, by client: whether everybody is served. */
  get okCounts(): readonly number[] {
    return this.#clients.map(({ index }) => this.#calls.okCounts[index] ?? 0);
  }

  get openCount(): number {
    return this.#calls.openCount;
  }

  get endedCount(): number {
    return this.#calls.endedCount;
  }

  /** Reads every key that was ever used, through any node; a read that is refused is repeated a few times. */
  readAll(onRefused: (key: string, why: string) => void): void {
    for (const [index, { name }] of this.#keys.all.entries()) {
      this.#readFinally(name, index, (why) => onRefused(name, why));
    }
  }

  #readFinally(name: string, turn: number, onRefused: (why: string) => void): void {
    const { history, machines, simulation } = this.#options;
    const operation: RegisterOperation = { kind: "get" };
    const machine = machines[turn % machines.length];
    const key = keyOfText(name);
    const id = history.invoke(
      { client: 1000, key: name, operation },
      this.#notes(key, machine?.node ?? "", LINEARIZABLE),
    );
    const call = this.#calls.open(() => history.complete(id, { kind: "unknown" }));
    const answer = (reply: Reply): void => {
      if (!this.#calls.finish(call)) return;
      history.complete(id, this.#mapping.outcome(operation, reply));
      if (reply.ok) return;
      if (turn > 5 * machines.length) return onRefused(reply.error.message);
      this.#calls.openCount++;
      simulation.schedule(300, "read again", () => {
        this.#calls.openCount--;
        this.#readFinally(name, turn + machines.length + 1, onRefused);
      });
    };
    if (machine === undefined || machine.running === null) answer(refused());
    else this.#calls.send(machine, call, ({ core }) => core.execute({ kind: "get", key }, LINEARIZABLE, answer));
  }

  #think(client: Client, factor: number): void {
    const { thinkMs } = this.#options.shape.clients;
    const delayMs = -Math.log(1 - this.#random.next()) * thinkMs * factor;
    this.#options.simulation.schedule(delayMs, "client calls", () => this.#turn(client));
  }

  #turn(client: Client): void {
    if (this.#isStopped) return;
    if (client.openCount >= client.depth) return this.#think(client, 1);
    if (this.#random.next() < 0.05 || client.machine.running === null) {
      client.machine = this.#anyOf(this.#options.machines);
      client.connection = null;
    }
    const dice = this.#random.next();
    if (dice < 0.84) this.#callOne(client);
    else if (dice < 0.89) this.#callBatch(client);
    else if (dice < 0.91) this.#callScan(client);
    else if (dice < 0.97) this.#callEventual(client);
    else this.#callExpiring(client);
    // The next turn of a client with a deep connection does not wait for the answer.
    if (client.depth > 1) this.#think(client, 1);
  }

  #callOne(client: Client): void {
    const { history } = this.#options;
    const key = this.#keys.pick();
    const operation = this.#keys.operationOn(key, this.#calls.nextNumber());
    const options = this.#drawOptions();
    const target = keyOfText(key.name);
    const notes = this.#notes(target, client.machine.node, options);
    if (operation.kind === "get") this.#options.onRead(target);
    const id = history.invoke({ client: client.index, key: key.name, operation }, notes);
    const call = this.#calls.open(() => {
      key.saw({ kind: "unknown" });
      history.complete(id, { kind: "unknown" });
    }, client);
    const answer = (reply: Reply): void => {
      if (!this.#calls.finish(call, client, reply.ok)) return;
      this.#options.onAnswer(reply, notes);
      const outcome = this.#mapping.outcome(operation, reply);
      key.saw(outcome);
      history.complete(id, outcome);
    };
    const request = this.#mapping.operation(target, operation);
    if (client.depth === 1) {
      this.#calls.ask(client, call, answer, ({ core }) => core.execute(request, options, answer));
      return;
    }
    const connection = this.#calls.connect(client);
    if (connection === null) return answer(refused());
    history.submissions.push({ connection: connection.id, order: connection.nextOrder++, id });
    this.#calls.ask(client, call, answer, () => connection.sequence.execute(request, options, answer));
  }

  #callBatch(client: Client): void {
    const { history } = this.#options;
    const picked = new Set(Array.from({ length: 2 + this.#random.below(4) }, () => this.#keys.pick()));
    const options = this.#drawOptions();
    const request = this.#calls.nextNumber();
    const parts = [...picked].map((key, index) => {
      const operation = this.#keys.operationOn(key, request * 10 + index, "b");
      const target = keyOfText(key.name);
      const notes = this.#notes(target, client.machine.node, options);
      const id = history.invoke({ client: client.index, key: key.name, operation, request }, notes);
      return { key, operation, id, notes, sent: this.#mapping.operation(target, operation) };
    });
    const call = this.#calls.open(() => {
      for (const { key, id } of parts) {
        key.saw({ kind: "unknown" });
        history.complete(id, { kind: "unknown" });
      }
    }, client);
    const answer = (replies: readonly Reply[]): void => {
      if (
        !this.#calls.finish(
          call,
          client,
          replies.every((reply) => reply.ok),
        )
      ) {
        return;
      }
      for (const [index, { key, operation, id, notes }] of parts.entries()) {
        const reply = replies[index] ?? unanswered();
        this.#options.onAnswer(reply, notes);
        const outcome = this.#mapping.outcome(operation, reply);
        key.saw(outcome);
        history.complete(id, outcome);
      }
    };
    const sent: KeyOperation[] = parts.map((part) => part.sent);
    const refuse = (): void => answer(parts.map(refused));
    this.#calls.ask(client, call, refuse, ({ core }) => core.executeBatch(sent, options, answer));
  }

  /** Every key that the page covers was read, whether it is on the page or not. */
  #callScan(client: Client): void {
    const { history } = this.#options;
    const known = this.#keys.all.map((key) => key.name).sort();
    const start = known[this.#random.below(known.length)] ?? "";
    const scan = { start, end: "", reverse: false, keysOnly: false, rowsMax: 1 + this.#random.below(12) };
    const at = history.noteCall();
    const call = this.#calls.open(() => {}, client);
    const answer = (page: ClusterPage | KvError): void => {
      if (!this.#calls.finish(call, client, !(page instanceof KvError)) || page instanceof KvError) return;
      const items = new Map(page.items.map((item) => [item.key as string, item]));
      const last = page.resumeKey;
      for (const name of known) {
        if (name < start || (last !== null && name > last)) continue;
        const item = items.get(name);
        const value = item === undefined ? "" : this.#mapping.textOf({ value: item.value ?? Buffer.alloc(0) });
        const result = item === undefined ? ABSENT : ({ kind: "value", value, version: item.version } as const);
        history.completeRead(client.index, name, at, result);
      }
    };
    const refuse = (): void => answer(new KvError("UNREACHABLE", "The node is down"));
    this.#calls.ask(client, call, refuse, ({ core }) => core.scan({ ...scan, options: LINEARIZABLE }, answer));
  }

  #callEventual(client: Client): void {
    const { history, simulation } = this.#options;
    const { name } = this.#keys.pick();
    const key = keyOfText(name);
    const operation: RegisterOperation = { kind: "get" };
    const call = this.#calls.open(() => {}, client);
    const answer = (reply: Reply): void => {
      if (!this.#calls.finish(call, client, reply.ok) || !reply.ok) return;
      const { epoch, sequence } = reply.position;
      const result = this.#mapping.result(operation, reply.result);
      const { shard, node, role } = reply.answerer;
      simulation.markers.sometimes(`eventual read from a ${role}`);
      history.eventualReads.push({
        shard,
        key: name,
        answeredBy: node,
        result,
        epoch,
        sequence,
        endedAtMs: simulation.nowMs,
      });
    };
    const options: RequestOptions = { consistency: "eventual", durability: null };
    this.#calls.ask(
      client,
      call,
      () => answer(refused()),
      ({ core }) => core.execute({ kind: "get", key }, options, answer),
    );
  }

  /** Keys that expire are beyond the checkers; they exercise the leader's deletes and what copies make of them. */
  #callExpiring(client: Client): void {
    const key = keyOfText(`ttl-${this.#random.below(TTL_KEYS)}`);
    const call = this.#calls.open(() => {}, client);
    const answer = (reply: Reply): void => void this.#calls.finish(call, client, reply.ok);
    const expiry = { kind: "after", ms: 200 + this.#random.below(4000) } as const;
    const value = Buffer.from(`ttl ${this.#calls.nextNumber()}`);
    const set = {
      kind: "set",
      key,
      value,
      contentType: "text/plain",
      expiry,
      condition: null,
      returnOld: false,
    } as const;
    const operation: KeyOperation = this.#random.below(3) === 0 ? { kind: "get", key } : set;
    const options = this.#drawOptions();
    this.#calls.ask(
      client,
      call,
      () => answer(refused()),
      ({ core }) => core.execute(operation, options, answer),
    );
  }

  #drawOptions(): RequestOptions {
    const { asyncShare, inSyncShare } = this.#options.shape.clients;
    const dice = this.#random.next();
    const durability = dice < asyncShare ? "async" : dice < asyncShare + inSyncShare ? "in-sync" : null;
    return { consistency: "linearizable", durability };
  }

  #notes(key: Key, node: string, { durability }: RequestOptions): OperationNotes {
    const { topology, replication } = this.#options.shape;
    const guarantee = (durability ?? replication) === "in-sync" ? "in-sync" : "flushed";
    return { shard: topology.shardOfKey(key).name, guarantee, node };
  }

  #anyOf(machines: readonly SimMachine[]): SimMachine {
    const machine = machines[this.#random.below(machines.length)];
    if (machine === undefined) throw new Error("a cluster has machines");
    return machine;
  }
}

const LINEARIZABLE: RequestOptions = { consistency: "linearizable", durability: null };
const ABSENT = { kind: "absent" } as const;

function unanswered(): Reply {
  return { ok: false, error: new KvError("UNKNOWN_OUTCOME", "The batch has no answer for this operation") };
}
