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
import { ALIVE_MS, decodeListAnswer, decodeReadAnswer, decodeSwapAnswer, EMBEDDED_PATHS } from "./embedded-protocol.ts";
import { EndpointSet } from "./endpoint-set.ts";
import { type CallResult, textOf } from "./http-endpoint.ts";
import { JsonAnswer } from "./json-answer.ts";
import { WatchSet } from "./watch-set.ts";

export interface EmbeddedCoordinatorOptions {
  readonly address: EndpointAddress;
  readonly clock: Clock & Timers;
  readonly random: Random;
  readonly deadlineMs?: number;
}

interface Request {
  readonly path: string;
  readonly body: Readonly<Record<string, string>>;
}

const NO_HEADERS = {};

/**
 * The embedded coordinator as its clients see it: the process that `kv coordinator` runs.
 *
 * Owns the connections and the watches. A call whose answer stays away is *unknown* if it was a swap, and failed otherwise;
 * nothing is repeated.
 */
export class EmbeddedCoordinator implements Coordinator {
  readonly #options: EmbeddedCoordinatorOptions;
  readonly #endpoints: EndpointSet;
  readonly #watches: WatchSet;
  #isClosed = false;

  constructor(options: EmbeddedCoordinatorOptions) {
    this.#options = options;
    this.#watches = new WatchSet({ timers: options.clock, random: options.random });
    this.#endpoints = new EndpointSet([options.address], options.clock);
  }

  read(key: string, done: (result: ReadResult) => void): void {
    this.#ask(keyFault(key), { path: EMBEDDED_PATHS.read, body: { key } }, (result) => {
      done(resultOfQuery(outcomeOf(result, decodeReadAnswer)));
    });
  }

  compareAndSwap(key: string, swap: Swap, done: (result: SwapResult) => void): void {
    const body = { key, expected: swap.expectedRevision, value: swap.value };
    this.#ask(swapFault(key, swap), { path: EMBEDDED_PATHS.swap, body }, (result) => {
      done(resultOfSwap(outcomeOf(result, decodeSwapAnswer)));
    });
  }

  list(prefix: string, done: (result: ListResult) => void): void {
    this.#ask(prefixFault(prefix), { path: EMBEDDED_PATHS.list, body: { prefix } }, (result) => {
      done(resultOfQuery(outcomeOf(result, decodeListAnswer)));
    });
  }

  watch(key: string, onChange: () => void): Watch {
    if (this.#isClosed || keyFault(key) !== null) return { stop: () => {} };
    const post = { path: EMBEDDED_PATHS.watch, body: JSON.stringify({ key }), headers: NO_HEADERS };
    return this.#watches.add({
      open: (events) => this.#endpoints.stream(post, 3 * ALIVE_MS, events),
      readLine: (line) => (JsonAnswer.parse(line)?.truth("changed") === true ? "changed" : "alive"),
      onChange,
    });
  }

  close(): void {
    this.#isClosed = true;
    this.#watches.stop();
    this.#endpoints.close();
  }

  #ask(fault: string | null, request: Request, done: (result: CallResult | Failed) => void): void {
    if (this.#isClosed) return;
    if (fault !== null) {
      this.#options.clock.soon(() => {
        if (!this.#isClosed) done({ kind: "failed", reason: fault });
      });
      return;
    }
    const { path, body } = request;
    const deadlineMs = this.#options.deadlineMs ?? DEADLINE_MS_DEFAULT;
    const call = { path, body: JSON.stringify(body), headers: NO_HEADERS, deadlineMs, isRepeatable: false };
    this.#endpoints.call(call, done);
  }
}

/** What an answer says; of what is not known, that it is not known. */
function outcomeOf<Result>(
  result: CallResult | Failed,
  decode: (answer: JsonAnswer) => Result | null,
): CallOutcome<Result> {
  if (result.kind === "failed") return result;
  if (result.kind === "unsent") return { kind: "failed", reason: result.reason };
  if (result.kind === "lost") return { kind: "unknown", reason: result.reason };
  const answer = JsonAnswer.parse(result.body);
  const decoded = result.status === 200 && answer !== null ? decode(answer) : null;
  if (decoded !== null) return { kind: "understood", result: decoded };
  const reason = answer?.text("error") ?? `The coordinator answered ${result.status}: ${textOf(result.body)}`;
  return { kind: answer?.text("outcome") === "not_applied" ? "failed" : "unknown", reason };
}
