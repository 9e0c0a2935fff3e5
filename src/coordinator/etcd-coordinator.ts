import type { Clock, Timers } from "../base/clock.ts";
import type { Random } from "../base/random.ts";
import { keyFault, prefixFault, swapFault } from "./call-checks.ts";
import { type CallOutcome, resultOfQuery, resultOfSwap } from "./call-outcome.ts";
import type { EndpointAddress } from "./checked-agent.ts";
import {
  type Coordinator,
  DEADLINE_MS_DEFAULT,
  type Failed,
  type ListResult,
  type ReadResult,
  type Swap,
  type SwapResult,
  type Watch,
} from "./coordinator.ts";
import { EndpointSet } from "./endpoint-set.ts";
import { etcdOutcome } from "./etcd-errors.ts";
import { EtcdLogin, type EtcdUser } from "./etcd-login.ts";
import {
  decodeRange,
  decodeRanges,
  decodeTransaction,
  ETCD_PATHS,
  rangeOfKey,
  rangeOfPrefix,
  transactionOf,
  watchOf,
} from "./etcd-messages.ts";
import type { CallResult, StreamEvents } from "./http-endpoint.ts";
import { JsonAnswer } from "./json-answer.ts";
import type { WatchLine } from "./watch-loop.ts";
import { WatchSet } from "./watch-set.ts";

export interface EtcdCoordinatorOptions {
  /** At least one; with several, those of one cluster. */
  readonly endpoints: readonly EndpointAddress[];
  /** null where etcd asks for none. */
  readonly user: EtcdUser | null;
  readonly clock: Clock & Timers;
  readonly random: Random;
  readonly deadlineMs?: number;
}

/** A request that changes nothing, or one that must be sent once. */
interface Request {
  readonly path: string;
  readonly body: string;
  readonly isRepeatable: boolean;
}

/** etcd says nothing on a quiet watch: one that is as old as this is opened again. */
const WATCH_SILENCE_MS_MAX = 60_000;
/** Makes a watch end when its member loses touch with the others, instead of being silent for ever. */
const WATCH_HEADERS = { "Grpc-Metadata-hasleader": "true" };

/**
 * The documents in etcd, over its JSON gateway.
 *
 * Owns the connections, the token and the watches. A swap is one transaction, sent to one endpoint once (rule C2); where nothing
 * could be sent, the next endpoint is tried. What etcd does not answer with certainty is *unknown*. Reads go on to the next
 * endpoint, and get a new token when the old one has ended; a swap that meets such a token fails, and the next one has another.
 */
export class EtcdCoordinator implements Coordinator {
  readonly #options: EtcdCoordinatorOptions;
  readonly #endpoints: EndpointSet;
  readonly #login: EtcdLogin;
  readonly #watches: WatchSet;
  #isClosed = false;

  constructor(options: EtcdCoordinatorOptions) {
    this.#options = options;
    this.#watches = new WatchSet({ timers: options.clock, random: options.random });
    this.#endpoints = new EndpointSet(options.endpoints, options.clock);
    this.#login = new EtcdLogin(this.#endpoints, options.user);
  }

  read(key: string, done: (result: ReadResult) => void): void {
    const request = { path: ETCD_PATHS.range, body: rangeOfKey(key), isRepeatable: true };
    this.#ask(keyFault(key), request, (result) => done(resultOfQuery(outcomeOf(result, decodeRange))));
  }

  compareAndSwap(key: string, swap: Swap, done: (result: SwapResult) => void): void {
    const request = { path: ETCD_PATHS.transaction, body: transactionOf(key, swap), isRepeatable: false };
    this.#ask(swapFault(key, swap), request, (result) => done(resultOfSwap(outcomeOf(result, decodeTransaction))));
  }

  list(prefix: string, done: (result: ListResult) => void): void {
    const request = { path: ETCD_PATHS.range, body: rangeOfPrefix(prefix), isRepeatable: true };
    this.#ask(prefixFault(prefix), request, (result) => done(resultOfQuery(outcomeOf(result, decodeRanges))));
  }

  watch(key: string, onChange: () => void): Watch {
    if (this.#isClosed || keyFault(key) !== null) return { stop: () => {} };
    return this.#watches.add({
      open: (events) => this.#openWatch(key, events),
      readLine: (line) => this.#readLine(line),
      onChange,
    });
  }

  close(): void {
    this.#isClosed = true;
    this.#watches.stop();
    this.#endpoints.close();
  }

  #ask(fault: string | null, request: Request, done: (result: CallResult | Failed) => void): void {
    if (fault !== null) {
      this.#options.clock.soon(() => {
        if (!this.#isClosed) done({ kind: "failed", reason: fault });
      });
      return;
    }
    const untilMs = this.#options.clock.nowMs() + (this.#options.deadlineMs ?? DEADLINE_MS_DEFAULT);
    this.#attempt(request, untilMs, (result) => {
      const isStale = result.kind !== "failed" && this.#login.note(result);
      if (isStale && request.isRepeatable) this.#attempt(request, untilMs, done);
      else done(result);
    });
  }

  /** With a token; what has none is not sent. */
  #attempt(request: Request, untilMs: number, done: (result: CallResult | Failed) => void): void {
    if (this.#isClosed) return;
    const { clock } = this.#options;
    this.#login.withHeaders(untilMs - clock.nowMs(), (login) => {
      if (login.kind === "failed") done(login);
      else this.#endpoints.call({ ...request, headers: login.headers, deadlineMs: untilMs - clock.nowMs() }, done);
    });
  }

  #openWatch(key: string, events: StreamEvents): { stop(): void } {
    let stream: { stop(): void } | null = null;
    let isStopped = false;
    this.#login.withHeaders(this.#options.deadlineMs ?? DEADLINE_MS_DEFAULT, (login) => {
      if (isStopped || this.#isClosed) return;
      if (login.kind === "failed") {
        events.onEnd(login.reason);
        return;
      }
      const headers = { ...login.headers, ...WATCH_HEADERS };
      const post = { path: ETCD_PATHS.watch, body: watchOf(key), headers };
      stream = this.#endpoints.stream(post, WATCH_SILENCE_MS_MAX, events);
    });
    return {
      stop: () => {
        isStopped = true;
        stream?.stop();
      },
    };
  }

  #readLine(line: Buffer): WatchLine {
    const result = JsonAnswer.parse(line)?.object("result");
    if (result === undefined || result.truth("canceled") === true) {
      // Among the reasons is a token that has ended.
      this.#login.forget();
      return "ended";
    }
    const isNews = result.truth("created") === true || (result.objects("events") ?? []).length > 0;
    return isNews ? "changed" : "alive";
  }
}

function outcomeOf<Result>(
  result: CallResult | Failed,
  decode: (answer: JsonAnswer) => Result | null,
): CallOutcome<Result> {
  return result.kind === "failed" ? result : etcdOutcome(result, decode);
}
