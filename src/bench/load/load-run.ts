import { BoundedQueue } from "../../base/bounded-queue.ts";
import { KvError } from "../../model/errors.ts";
import type { Answer, ClientProtocol } from "./client-protocol.ts";
import type { ConnectionFailure, ConnectionOwner, LoadConnection } from "./load-connection.ts";
import { LoadQuota, type LoadQuotaParts } from "./load-quota.ts";
import { LoadStatistics } from "./load-statistics.ts";
import { Operation } from "./operation.ts";
import type { OperationFailure, OperationSource } from "./operation-source.ts";

export interface LoadRunParts extends LoadQuotaParts {
  readonly source: OperationSource;
  /** Which group of connections a key belongs to. */
  readonly groupOf: (index: number) => number;
  readonly groupCount: number;
  /** An answer that takes longer counts as a failure, and its connection is given up. */
  readonly timeoutMs: number;
  /** A connection whose operation was refused rests for a moment: for loads that meet servers which cannot serve now. */
  readonly restsAfterFailure: boolean;
  readonly onProgress: (run: LoadRun) => void;
}

/** What a load did besides its statistics. */
export interface LoadOutcome {
  readonly statistics: LoadStatistics;
  /** From the end of the warm-up to the last answer. */
  readonly seconds: number;
  /** Operations that were due and waited for a free place, at most and at the end (those were never sent). */
  readonly backlogMax: number;
  readonly backlogEnd: number;
}

/** Operations that wait for a connection of their group, for each group; beyond that they are not even drawn. */
const WAITING_MAX = 1024;
/** Draws that end up in other groups before a closed loop lets a connection rest until the next answer. */
const DRAWS_MAX = 1024;
const OPENING_MS_MAX = 5000;
const WATCH_MS = 25;
/** Timers of the runtime are a millisecond late; what is due sooner is waited for in short naps. */
const NAP_MS = 0.05;
const TIMER_MS_MIN = 2;

/**
 * Drives connections through one load: starts operations by the pace, judges the answers, gathers the statistics.
 *
 * Owns the operations that wait for a connection of their group, a bounded number. Ends when nothing is to be started any more
 * and everything is answered or given up; a node that fails costs the operations under way, which count as failures.
 */
export class LoadRun implements ConnectionOwner {
  readonly statistics: LoadStatistics = new LoadStatistics();
  readonly #parts: LoadRunParts;
  readonly #quota: LoadQuota;
  readonly #waiting: readonly BoundedQueue<Operation>[];
  readonly #nap = new Int32Array(new SharedArrayBuffer(4));
  readonly #draft = new Operation();
  #hasDraft = false;
  #connections: readonly LoadConnection[] = [];
  readonly #unflushed: LoadConnection[] = [];
  #cursor = 0;
  #underWay = 0;
  #backlogMax = 0;
  /** Whether the last look found nothing due that was not sent. */
  #isAbreast = true;
  /** The time of the packet being taken in; 0 between packets. */
  #packetMs = 0;
  #lastAnswerMs = 0;
  #aliveMs = 0;
  #watch: NodeJS.Timeout | null = null;
  #opened: (() => void) | null = null;
  #finish: ((outcome: LoadOutcome) => void) | null = null;

  constructor(parts: LoadRunParts) {
    this.#parts = parts;
    this.#quota = new LoadQuota(parts);
    this.#waiting = Array.from({ length: parts.groupCount }, () => new BoundedQueue<Operation>(WAITING_MAX));
  }

  /** What was measured so far, in milliseconds since the warm-up ended. */
  get measuredMs(): number {
    return Math.max(0, performance.now() - this.#quota.measureFromMs);
  }

  get backlog(): number {
    return this.#quota.backlog(performance.now());
  }

  /** Runs the load over `connections`, whose owner this is. They stay open. Throws UNREACHABLE when not all can be opened. */
  async run(connections: readonly LoadConnection[]): Promise<LoadOutcome> {
    this.#connections = connections;
    await this.#allOpened();
    const nowMs = performance.now();
    this.#quota.begin(nowMs);
    this.#aliveMs = nowMs;
    const outcome = new Promise<LoadOutcome>((resolve) => {
      this.#finish = resolve;
    });
    this.#watch = setInterval(() => this.#look(), WATCH_MS);
    if (this.#parts.pace.isScheduled) this.#tick();
    else for (const connection of connections) this.#fill(connection, nowMs);
    this.#endIfOver(performance.now());
    return outcome;
  }

  /** Starts nothing any more; the load ends when what is under way is answered. */
  stop(): void {
    this.#quota.stop(performance.now());
  }

  opened(connection: LoadConnection): void {
    if (this.#finish !== null) this.#fill(connection, performance.now());
    else if (this.#connections.every(({ hasRoom }) => hasRoom)) this.#opened?.();
  }

  answered(connection: LoadConnection, operation: Operation, answer: Answer): void {
    if (this.#finish === null) return;
    if (this.#packetMs === 0) this.#packetMs = performance.now();
    const { source } = this.#parts;
    const failure = source.judge(operation, answer, connection.protocol);
    if (failure === null && operation.kind === "readModifyWrite" && !operation.isSecondHalf) {
      const next = connection.begin().copyFrom(operation);
      next.isSecondHalf = true;
      next.sentMs = this.#packetMs;
      connection.send(connection.protocol.writeRequest(next.index, next.counter));
      return;
    }
    if (failure !== null && this.#parts.restsAfterFailure) connection.isResting = true;
    this.#settle(operation, failure, this.#packetMs);
  }

  caughtUp(connection: LoadConnection): void {
    const nowMs = this.#packetMs === 0 ? performance.now() : this.#packetMs;
    this.#packetMs = 0;
    if (this.#finish === null) return;
    this.#fill(connection, nowMs);
    if (this.#underWay === 0) this.#endIfOver(nowMs);
  }

  lost(operation: Operation, failure: ConnectionFailure): void {
    if (this.#finish === null) return;
    this.#parts.source.lost(operation);
    this.#settle(operation, failure, performance.now());
  }

  async #allOpened(): Promise<void> {
    const isOpen = new Promise<void>((resolve) => {
      this.#opened = resolve;
    });
    let timer: NodeJS.Timeout | null = null;
    const refusal = new Promise<string>((resolve) => {
      const giveUpMs = performance.now() + OPENING_MS_MAX;
      timer = setInterval(() => {
        const reason = this.#connections.find((connection) => connection.refusal !== null)?.refusal;
        if (typeof reason === "string") resolve(reason);
        else if (performance.now() > giveUpMs) resolve("connecting took too long");
      }, WATCH_MS);
    });
    const reason = await Promise.race([isOpen, refusal]);
    if (timer !== null) clearInterval(timer);
    if (reason === undefined) return;
    const count = this.#connections.filter(({ hasRoom }) => hasRoom).length;
    const opened = `${count} of ${this.#connections.length} connections could be opened`;
    throw new KvError("UNREACHABLE", `only ${opened}: ${reason}`);
  }

  #settle(operation: Operation, failure: OperationFailure | null, nowMs: number): void {
    this.#underWay -= 1;
    const { kind, startMs } = operation;
    if (startMs < this.#quota.measureFromMs) return;
    this.#lastAnswerMs = nowMs;
    if (failure === null) this.statistics.succeeded(kind, nowMs - startMs);
    else this.statistics.failed(kind, failure.code, failure.text);
  }

  /** Starts what one connection takes. */
  #fill(connection: LoadConnection, nowMs: number): void {
    while (connection.hasRoom) {
      const operation = this.#nextFor(connection.group, nowMs);
      if (operation === null) break;
      this.#start(connection, operation, nowMs);
    }
    connection.flush();
  }

  /** Starts what is due, one operation a connection in turn, so that none is deep while others idle. */
  #pump(nowMs: number): void {
    let backlog = this.#quota.backlog(nowMs);
    let fruitless = 0;
    while (backlog > 0 && fruitless < this.#connections.length) {
      const connection = this.#connections[this.#cursor];
      this.#cursor = (this.#cursor + 1) % this.#connections.length;
      const operation = connection?.hasRoom === true ? this.#nextFor(connection.group, nowMs) : null;
      if (connection === undefined || operation === null) {
        fruitless += 1;
        continue;
      }
      fruitless = 0;
      backlog -= 1;
      this.#unflushed.push(connection);
      if (this.#isAbreast) this.statistics.lateness.record(nowMs - operation.startMs);
      this.#start(connection, operation, nowMs);
    }
    for (const connection of this.#unflushed) connection.flush();
    this.#unflushed.length = 0;
    this.#isAbreast = backlog === 0;
    if (nowMs >= this.#quota.measureFromMs) this.#backlogMax = Math.max(this.#backlogMax, backlog);
  }

  #start(connection: LoadConnection, drawn: Operation, nowMs: number): void {
    const operation = connection.begin().copyFrom(drawn);
    operation.sentMs = nowMs;
    if (!this.#parts.pace.isScheduled) operation.startMs = nowMs;
    this.#quota.start();
    this.#underWay += 1;
    connection.send(requestOf(connection.protocol, operation));
  }

  /** The next operation for a connection of `group`; null when there is none, or its turn has not come. */
  #nextFor(group: number, nowMs: number): Operation | null {
    const { pace, groupOf } = this.#parts;
    // In a closed loop nobody has a right to what was drawn for later; a schedule sends what was due.
    if (!pace.isScheduled && this.#quota.hasEnded(nowMs)) return null;
    const waiting = this.#waiting[group]?.take();
    if (waiting !== undefined) return waiting;
    for (let draws = 0; draws < DRAWS_MAX; draws++) {
      if (!this.#hasDraft && !this.#draw(nowMs)) return null;
      const owner = groupOf(this.#draft.index);
      const isOwn = owner === group;
      const isTaken = isOwn || this.#waiting[owner]?.push(new Operation().copyFrom(this.#draft)) === true;
      // A schedule keeps what it drew until there is room; a closed loop has no duty to any key and draws another.
      if (!isTaken && pace.isScheduled) return null;
      this.#hasDraft = false;
      if (isOwn) return this.#draft;
      if (!isTaken) this.#abandonDraft();
    }
    return null;
  }

  #draw(nowMs: number): boolean {
    const { source } = this.#parts;
    if (source.isExhausted || !this.#quota.mayDraw(nowMs) || !source.draw(this.#draft)) return false;
    this.#draft.startMs = this.#quota.draw(nowMs);
    this.#hasDraft = true;
    return true;
  }

  #abandonDraft(): void {
    this.#parts.source.abandoned(this.#draft);
    this.#quota.giveBack(this.#draft.startMs);
  }

  /** The clock of a schedule. */
  #tick(): void {
    if (this.#finish === null) return;
    const nowMs = performance.now();
    this.#pump(nowMs);
    this.#endIfOver(nowMs);
    const nextMs = this.#quota.nextStartMs() - performance.now();
    if (!this.#isAbreast || this.#quota.hasEnded(nowMs)) setTimeout(() => this.#tick(), 1);
    else if (nextMs > TIMER_MS_MIN) setTimeout(() => this.#tick(), Math.min(WATCH_MS, Math.floor(nextMs - 1)));
    else {
      if (nextMs > 0) Atomics.wait(this.#nap, 0, 0, Math.min(nextMs, NAP_MS));
      setImmediate(() => this.#tick());
    }
  }

  #look(): void {
    const nowMs = performance.now();
    if (this.#connections.some(({ isOpen }) => isOpen)) this.#aliveMs = nowMs;
    for (const connection of this.#connections) {
      connection.isResting = false;
      connection.expire(nowMs - this.#parts.timeoutMs);
      // Something may wait for a connection that owes no answer and so would not be looked at again.
      if (!this.#parts.pace.isScheduled) this.#fill(connection, nowMs);
    }
    this.#endIfOver(nowMs);
    if (this.#finish === null) return;
    this.#parts.onProgress(this);
    if (nowMs - this.#aliveMs <= this.#parts.timeoutMs) return;
    this.statistics.failures.add("CONNECTION", "no node could be reached any more");
    this.#end(nowMs);
  }

  #endIfOver(nowMs: number): void {
    if (this.#underWay > 0) return;
    if (this.#parts.source.isExhausted || this.#quota.isUsedUp(nowMs)) this.#end(nowMs);
  }

  #end(nowMs: number): void {
    const finish = this.#finish;
    if (finish === null) return;
    this.#finish = null;
    if (this.#watch !== null) clearInterval(this.#watch);
    const endedMs = this.#lastAnswerMs === 0 ? nowMs : this.#lastAnswerMs;
    finish({
      statistics: this.statistics,
      seconds: Math.max(0, endedMs - this.#quota.measureFromMs) / 1000,
      backlogMax: this.#backlogMax,
      backlogEnd: this.#quota.backlog(nowMs),
    });
  }
}

function requestOf(protocol: ClientProtocol, { kind, index, counter, rowCount }: Operation): string {
  switch (kind) {
    case "read":
    case "readModifyWrite":
      return protocol.readRequest(index);
    case "write":
    case "insert":
      return protocol.writeRequest(index, counter);
    case "scan":
      return protocol.scanRequest(index, rowCount);
  }
}
