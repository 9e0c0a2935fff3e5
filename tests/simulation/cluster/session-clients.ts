import type { SeededRandom } from "../../../src/base/random.ts";
import { SPACE } from "../../../src/model/entry.ts";
import { keyOfText } from "../../../src/model/key.ts";
import type { KeyOperation, Position, Reply, RequestOptions, SeenPosition } from "../../../src/model/operation.ts";
import type { Simulation } from "../base/simulation.ts";
import type { ClusterShape } from "./cluster-shape.ts";
import { CounterBook, type Counter, type CounterRequest } from "./counter-book.ts";
import type { SimMachine } from "./sim-machine.ts";

export interface SessionClientsOptions {
  readonly simulation: Simulation;
  readonly shape: ClusterShape;
  readonly machines: readonly SimMachine[];
  /** Whether clocks keep to their bounds; where they do not, only what rests upon none is demanded. */
  readonly areClocksSound: boolean;
  /** Whether promotions may lose what was acknowledged: then sessions must notice. */
  readonly mayLose: boolean;
}

/** What one client has seen of one shard, and of its counters at that time. */
interface Session {
  position: Position | null;
  readonly known: Map<Counter, number>;
}

interface Client {
  readonly index: number;
  readonly sessions: Map<string, Session>;
}

const CLIENTS = 6;
const COUNTERS = 4;
const THINK_MS = 60;
const RETRY_MS = 120;
const IMPATIENCE_MS_MAX = 400;
/** Who repeats a request longer than that may find that it was forgotten; here it is long before. */
const RETRIES_END_MS = 8000;
/** Whoever hears nothing for so long goes on with something else; what he hears later must be true all the same. */
const PATIENCE_MS = 2000;
/** Clocks run at rates that differ by so much at most (A1). */
const RATE_MIN = 0.99;
/** Between a message's sending and its arrival at a node. */
const ARRIVAL_MS_MAX = 1;

/**
 * Clients that repeat their requests under one id, send back what they have seen, bound the age of what they read, and ask for strict
 * reads. Counters tell what they must see: `CounterBook` says when that is not so.
 */
export class SessionClients {
  readonly #options: SessionClientsOptions;
  readonly #random: SeededRandom;
  readonly #book: CounterBook;
  readonly #clients: readonly Client[];
  #requestCount = 0;
  #callCount = 0;
  #isStopped = false;
  openCount = 0;

  constructor(options: SessionClientsOptions) {
    const { simulation, shape } = options;
    this.#options = options;
    this.#random = simulation.randomFor("sessions");
    const keys = Array.from({ length: COUNTERS }, (_, index) => `counter-${index}`);
    const counters = keys.map((key) => ({ key, shard: shape.topology.shardOfKey(keyOfText(key)).name }));
    this.#book = new CounterBook(simulation, { counters, mayLose: options.mayLose });
    this.#clients = Array.from({ length: CLIENTS }, (_, index) => ({ index, sessions: new Map() }));
  }

  start(): void {
    for (const client of this.#clients) this.#think(client);
  }

  stop(): void {
    this.#isStopped = true;
  }

  /** All copies are equal: what do they hold? */
  checkEnd(): void {
    for (const counter of this.#book.counters) {
      const holder = this.#options.machines.find(({ shard, store }) => shard.name === counter.shard && store !== null);
      const record = holder?.store?.view.get(SPACE.user, counter.key, Number.MAX_SAFE_INTEGER).record ?? null;
      this.#book.checkEnd(counter, record === null ? 0 : Number(record.value.toString()));
    }
  }

  #think(client: Client): void {
    const delayMs = -Math.log(1 - this.#random.next()) * THINK_MS;
    this.#options.simulation.schedule(delayMs, "session client calls", () => this.#turn(client));
  }

  #turn(client: Client): void {
    if (this.#isStopped) return;
    // Where clocks are not to be trusted, strict reads are what is left to look at.
    const { areClocksSound } = this.#options;
    const counter = this.#anyOf(this.#book.counters);
    const dice = this.#random.next();
    if (dice < 0.4) this.#increment(client, counter);
    else if (dice < (areClocksSound ? 0.65 : 0.45)) this.#readOwn(client, counter);
    else if (dice < (areClocksSound ? 0.85 : 0.5)) this.#readBounded(client, counter);
    else this.#readStrictly(client, counter);
  }

  #increment(client: Client, counter: Counter): void {
    const id = `client ${client.index} request ${++this.#requestCount}`;
    counter.requestCount++;
    const request = { id, counter, firstSentMs: this.#options.simulation.nowMs, value: null, isSettled: false };
    this.#send(client, request);
    // Some do not wait for the answer before they ask again.
    if (this.#random.next() > 0.3) return;
    const delayMs = this.#random.next() * IMPATIENCE_MS_MAX;
    this.#options.simulation.schedule(delayMs, "impatient client", () => this.#send(client, request));
  }

  /** Sends a request until it is answered; every sending may be the one that takes effect. */
  #send(client: Client, request: CounterRequest): void {
    const { simulation } = this.#options;
    const operation = { kind: "increment", key: keyOfText(request.counter.key), by: 1n } as const;
    const named = { consistency: "linearizable", durability: null, requestId: request.id } as const;
    const options: RequestOptions = { ...named, ...this.#seenBy(client, request.counter) };
    const { seen: asked } = options;
    this.#call(operation, options, (reply, isLate) => {
      if (reply?.ok === true && reply.result.kind === "incremented") {
        this.#book.acknowledge(request, Number(reply.result.value));
        this.#saw(client, request.counter, { asked, position: reply.position, value: Number(reply.result.value) });
      } else if (reply?.ok === true) {
        simulation.fail("an increment is answered as such", `${request.id} was answered with ${reply.result.kind}`);
      } else if (reply?.error.code === "REQUEST_ID_REUSED") {
        simulation.fail("a request is known by its id", `${request.id}: ${reply.error.message}`);
      } else if (reply?.error.code === "POSITION_NOT_HELD") {
        this.#onLost(client, request.counter);
      }
      if (isLate) return;
      const isOver = request.value !== null || simulation.nowMs - request.firstSentMs > RETRIES_END_MS;
      if (isOver || this.#isStopped) {
        if (!request.isSettled) this.#think(client);
        request.isSettled = true;
        return;
      }
      const isOpen = reply === null || (!reply.ok && reply.error.outcome === "unknown");
      simulation.markers.sometimes("request repeated whose fate was open", isOpen);
      simulation.schedule(RETRY_MS * this.#random.next(), "request again", () => this.#send(client, request));
    });
  }

  /** What the client has seen once, it sees again, whoever answers. */
  #readOwn(client: Client, counter: Counter): void {
    const least = this.#sessionOf(client, counter).known.get(counter) ?? 0;
    this.#read(client, counter, {
      kind: "session",
      options: { consistency: "eventual", durability: null, ...this.#seenBy(client, counter) },
      least: () => least,
    });
  }

  #readBounded(client: Client, counter: Counter): void {
    const maxLagMs = this.#anyOf([0, 300, 600, 1500, 4000]);
    const sentMs = this.#options.simulation.nowMs;
    this.#read(client, counter, {
      kind: "bounded",
      options: { consistency: "eventual", durability: null, maxLagMs },
      least: ({ answerer }) => {
        const lagMs = Math.max(answerer.lagMs, 0);
        const tooOld = answerer.role === "replica" && lagMs > maxLagMs;
        if (tooOld) this.#options.simulation.fail("bounded reads keep their promise", `${lagMs} ms for ${maxLagMs}`);
        if (!this.#options.areClocksSound || this.#options.mayLose) return 0;
        return this.#book.leastAsOf(counter, sentMs - lagMs / RATE_MIN - ARRIVAL_MS_MAX);
      },
    });
  }

  /** Rests upon no clock: it must hold whatever clocks do. */
  #readStrictly(client: Client, counter: Counter): void {
    const least = this.#book.leastAsOf(counter, this.#options.simulation.nowMs);
    this.#read(client, counter, {
      kind: "strict",
      options: { consistency: "strict", durability: null },
      least: () => least,
    });
  }

  #read(
    client: Client,
    counter: Counter,
    read: {
      readonly kind: string;
      readonly options: RequestOptions;
      readonly least: (reply: Extract<Reply, { ok: true }>) => number;
    },
  ): void {
    const { simulation } = this.#options;
    this.#call({ kind: "get", key: keyOfText(counter.key) }, read.options, (reply, isLate) => {
      if (!isLate) this.#think(client);
      if (reply === null) return;
      if (!reply.ok) {
        if (reply.error.code === "POSITION_NOT_HELD") this.#onLost(client, counter);
        return;
      }
      const { result, position, answerer } = reply;
      const value = result.kind === "value" ? Number(result.record.value.toString()) : 0;
      simulation.markers.sometimes(`${read.kind} read from a ${answerer.role}`);
      this.#book.checkRead(read.kind, counter, { value, least: read.least(reply) });
      if (read.kind === "session") this.#saw(client, counter, { asked: read.options.seen, position, value });
    });
  }

  #seenBy(client: Client, counter: Counter): Pick<RequestOptions, "seen"> {
    const { position } = this.#sessionOf(client, counter);
    return position === null ? {} : { seen: { shard: counter.shard, ...position } };
  }

  /** What the client has seen is gone, and it was told so: it begins anew. */
  #onLost(client: Client, counter: Counter): void {
    const { simulation, mayLose } = this.#options;
    if (!mayLose) simulation.fail("what was seen is never lost", `${counter.key}: POSITION_NOT_HELD`);
    simulation.markers.sometimes("session told of its loss");
    client.sessions.delete(counter.shard);
  }

  /**
   * Within a lineage an answer with a later position shows whatever one with an earlier position has shown. An answer of another
   * lineage does so only when it was asked with all that the session knows by now: otherwise nobody has looked whether the takeover
   * in between lost some of it, and the session stays what it was, for the next answer to tell.
   */
  #saw(
    client: Client,
    counter: Counter,
    seen: { readonly asked: SeenPosition | undefined; readonly position: Position; readonly value: number },
  ): void {
    const session = this.#sessionOf(client, counter);
    const { position } = session;
    const isFirst = position === null;
    const isSameLineage = position?.lineage === seen.position.lineage;
    const wasAskedForAll = seen.asked?.lineage === position?.lineage && seen.asked?.sequence === position?.sequence;
    if (!isFirst && !isSameLineage && !wasAskedForAll) return;
    const isLater = isFirst || !isSameLineage || seen.position.sequence > position.sequence;
    if (isLater) session.position = seen.position;
    session.known.set(counter, Math.max(session.known.get(counter) ?? 0, seen.value));
  }

  #sessionOf({ sessions }: Client, { shard }: Counter): Session {
    const session = sessions.get(shard) ?? { position: null, known: new Map<Counter, number>() };
    sessions.set(shard, session);
    return session;
  }

  /** Asks any node; null when there is no answer in time. One that comes later is `isLate`. */
  #call(operation: KeyOperation, options: RequestOptions, done: (reply: Reply | null, isLate: boolean) => void): void {
    const { simulation, machines } = this.#options;
    const machine = this.#anyOf(machines);
    const node = machine.running;
    let isOver = false;
    this.openCount++;
    const end = (reply: Reply | null): void => {
      if (isOver && reply !== null) done(reply, true);
      if (isOver) return;
      isOver = true;
      this.openCount--;
      done(reply, false);
    };
    if (node === null) {
      simulation.schedule(THINK_MS, "nobody there", () => end(null));
      return;
    }
    const id = -++this.#callCount;
    node.openCalls.set(id, () => end(null));
    const delayMs = this.#random.next() * ARRIVAL_MS_MAX;
    const run = (): void => node.core.execute(operation, options, end);
    node.process.deliver({ phase: "network", delayMs, run });
    simulation.schedule(PATIENCE_MS, "session client's patience", () => {
      node.openCalls.delete(id);
      end(null);
    });
  }

  #anyOf<Item>(items: readonly Item[]): Item {
    const item = items[this.#random.below(items.length)];
    if (item === undefined) throw new Error("there is something to choose from");
    return item;
  }
}
