import type { Clock, Timers } from "../base/clock.ts";
import type { EndpointAddress } from "./checked-agent.ts";
import { type CallResult, HttpEndpoint, type Post, type StreamEvents } from "./http-endpoint.ts";

/** One request to whichever endpoint answers. */
export interface Call extends Post {
  readonly deadlineMs: number;
  /** A request that changes nothing may be sent again, to the next endpoint; any other is sent once (rule C2). */
  readonly isRepeatable: boolean;
}

/** From this status on a member could not do what it was asked to; one that has lost the others says so, too. */
const SERVER_ERROR = 500;
/** The least time that is worth trying another endpoint for. */
const ATTEMPT_MS_MIN = 20;

/**
 * The endpoints of one coordinator.
 *
 * Owns them, and which of them answered last: it is asked first. Where nothing could be sent, the next one is tried; where an
 * answer stays away, or is that of a member in trouble, only requests that may be repeated go on. The time that is left is shared among those not tried yet.
 */
export class EndpointSet {
  readonly #endpoints: readonly HttpEndpoint[];
  readonly #clock: Clock;
  #preferred = 0;

  /** `addresses` must not be empty. */
  constructor(addresses: readonly EndpointAddress[], clock: Clock & Timers) {
    this.#endpoints = addresses.map((address) => new HttpEndpoint(address, clock));
    this.#clock = clock;
  }

  call(call: Call, done: (result: CallResult) => void): void {
    this.#attempt(
      call,
      { triedCount: 0, untilMs: this.#clock.nowMs() + call.deadlineMs, first: this.#preferred },
      done,
    );
  }

  /** A stream from the preferred endpoint; when that ends, the next one is preferred. */
  stream(post: Post, silenceMsMax: number, events: StreamEvents): { stop(): void } {
    const index = this.#preferred;
    return this.#endpointAt(index).stream(post, silenceMsMax, {
      onData: events.onData,
      onEnd: (reason) => {
        this.#passOver(index);
        events.onEnd(reason);
      },
    });
  }

  close(): void {
    for (const endpoint of this.#endpoints) endpoint.close();
  }

  #attempt(
    call: Call,
    progress: { readonly triedCount: number; readonly untilMs: number; readonly first: number },
    done: (result: CallResult) => void,
  ): void {
    const { triedCount, untilMs, first } = progress;
    const index = (first + triedCount) % this.#endpoints.length;
    const leftMs = untilMs - this.#clock.nowMs();
    const shareMs = leftMs / (this.#endpoints.length - triedCount);
    const deadlines = { connectMs: shareMs, answerMs: call.isRepeatable ? shareMs : leftMs };
    this.#endpointAt(index).post(call, deadlines, (result) => {
      if (result.kind === "answer" && result.status < SERVER_ERROR) {
        this.#preferred = index;
        done(result);
        return;
      }
      this.#passOver(index);
      const isLast = triedCount + 1 === this.#endpoints.length || untilMs - this.#clock.nowMs() < ATTEMPT_MS_MIN;
      const mayGoOn = result.kind === "unsent" || call.isRepeatable;
      if (isLast || !mayGoOn) done(result);
      else this.#attempt(call, { ...progress, triedCount: triedCount + 1 }, done);
    });
  }

  #passOver(index: number): void {
    if (this.#preferred === index) this.#preferred = (index + 1) % this.#endpoints.length;
  }

  #endpointAt(index: number): HttpEndpoint {
    const endpoint = this.#endpoints[index];
    if (endpoint === undefined) throw new RangeError("A coordinator has no endpoint");
    return endpoint;
  }
}
