import { assert } from "../../src/base/assert.ts";
import type { Timers } from "../../src/base/clock.ts";
import { KvError } from "../../src/model/errors.ts";
import { LIMITS } from "../../src/model/limits.ts";
import type { NodeName } from "../../src/model/position.ts";
import type { PeerHandler, PeerMessage, PeerNetwork, PeerRequest } from "../../src/wire/peer-network.ts";

/** How one direction between two nodes may fail. */
export type RoadFault =
  /** No connection can be made: nothing is sent, and the sender knows. */
  | "refused"
  /** Requests and messages get lost on the way; the sender sees the connection break. */
  | "lost"
  /** Requests arrive and are served; the connection breaks before the answer is back. */
  | "answer lost"
  /** Nothing arrives, and nobody says so. */
  | "silent";

const LATENCY_MS = 1;
/** What a message larger than one fragment takes longer, so that those behind it overtake it. */
const LARGE_MS = 20;

/** A network in memory between the nodes of one test, in the time of its timers, with losses on demand. */
export class MemoryNetwork {
  readonly #timers: Timers;
  readonly #handlers = new Map<NodeName, PeerHandler>();
  readonly #faults = new Map<string, RoadFault>();
  /** Bodies of all requests that arrived, in order. */
  readonly arrived: { readonly from: NodeName; readonly to: NodeName; readonly body: Buffer }[] = [];

  constructor(timers: Timers) {
    this.#timers = timers;
  }

  endpoint(node: NodeName): PeerNetwork {
    return {
      send: (to, message) => this.#send(node, to, message),
      request: (to, request) => this.#request(node, to, request),
    };
  }

  attach(node: NodeName, handler: PeerHandler): void {
    this.#handlers.set(node, handler);
  }

  /** Nobody can connect to `node` any more. */
  detach(node: NodeName): void {
    this.#handlers.delete(node);
  }

  setFault(from: NodeName, to: NodeName, fault: RoadFault | null): void {
    if (fault === null) this.#faults.delete(`${from}>${to}`);
    else this.#faults.set(`${from}>${to}`, fault);
  }

  #send(from: NodeName, to: NodeName, message: PeerMessage): boolean {
    assert(from !== to, "a node does not send to itself");
    const fault = this.#faultOf(from, to);
    if (fault === "refused") return false;
    if (fault === "lost" || fault === "silent") return true;
    const header: unknown = JSON.parse(JSON.stringify(message.header));
    this.#timers.after(LATENCY_MS, () => this.#handlers.get(to)?.onMessage(from, { ...message, header }));
    return true;
  }

  #request(from: NodeName, to: NodeName, request: PeerRequest): void {
    assert(from !== to, "a node does not ask itself");
    const { body, timeoutMs, done } = request;
    const fault = this.#faultOf(from, to);
    if (fault === "refused") {
      done({ error: new KvError("UNREACHABLE", `Node ${to} refuses connections`), sent: false });
      return;
    }
    let isOpen = true;
    const finish = (outcome: Parameters<PeerRequest["done"]>[0]): void => {
      if (isOpen) done(outcome);
      isOpen = false;
    };
    const lost = (why: string): void => finish({ error: new KvError("UNKNOWN_OUTCOME", why), sent: true });
    this.#timers.after(timeoutMs, () => lost(`Node ${to} did not answer in ${timeoutMs} ms`));
    if (fault === "silent") return;
    const delayMs = LATENCY_MS + (body.length > LIMITS.peerFragmentBytes ? LARGE_MS : 0);
    this.#timers.after(delayMs, () => {
      if (fault === "lost") {
        lost(`The connection with ${to} broke`);
        return;
      }
      if (fault === "answer lost") this.#timers.after(LATENCY_MS, () => lost(`The connection with ${to} broke`));
      this.arrived.push({ from, to, body });
      this.#handlers.get(to)?.onRequest(from, body, (answer) => {
        const back = this.#faultOf(to, from);
        if (fault === null && back === null) this.#timers.after(LATENCY_MS, () => finish({ body: answer }));
      });
    });
  }

  #faultOf(from: NodeName, to: NodeName): RoadFault | null {
    return this.#handlers.has(to) ? (this.#faults.get(`${from}>${to}`) ?? null) : "refused";
  }
}
