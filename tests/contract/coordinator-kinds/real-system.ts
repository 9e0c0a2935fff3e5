import { setTimeout as sleep } from "node:timers/promises";
import type { EndpointAddress } from "../../../src/coordinator/checked-agent.ts";
import type { Coordinator } from "../../../src/coordinator/coordinator.ts";
import { HoldingRelay } from "../../support/holding-relay.ts";
import { CallRules, type CoordinatorSystem, type HeldClient } from "./coordinator-system.ts";

/** What a kind with real processes and sockets has of its own. */
export interface RealKind {
  /** Where clients reach it: one address a member. */
  readonly endpoints: readonly EndpointAddress[];
  open(endpoints: readonly EndpointAddress[], deadlineMs: number | undefined): Coordinator;
  kill(): Promise<unknown>;
  restart(): Promise<void>;
  dispose(): Promise<void>;
}

/** A coordinator of real processes, in real time. */
export class RealSystem implements CoordinatorSystem {
  readonly #kind: RealKind;
  readonly #rules = new CallRules();
  readonly #relays: HoldingRelay[] = [];
  #clientCount = 0;

  constructor(kind: RealKind) {
    this.#kind = kind;
  }

  connect({ deadlineMs }: { readonly deadlineMs?: number } = {}): Coordinator {
    // Each client asks another member first: what one of them was told, all must know.
    const { endpoints } = this.#kind;
    const first = this.#clientCount++ % endpoints.length;
    return this.#kind.open([...endpoints.slice(first), ...endpoints.slice(0, first)], deadlineMs);
  }

  async connectHeld({ deadlineMs }: { readonly deadlineMs: number }): Promise<HeldClient> {
    const [endpoint] = this.#kind.endpoints;
    if (endpoint === undefined) throw new Error("there is no endpoint");
    const relay = await HoldingRelay.start(endpoint);
    this.#relays.push(relay);
    return {
      coordinator: this.#kind.open([{ host: "127.0.0.1", port: relay.port, tls: endpoint.tls }], deadlineMs),
      hold: () => relay.hold(),
      release: async () => relay.release(),
    };
  }

  async ask<Result>(start: (done: (result: Result) => void) => void): Promise<Result> {
    const { promise, resolve } = Promise.withResolvers<Result>();
    this.#rules.watch(start, resolve);
    return promise;
  }

  async wait(ms: number): Promise<void> {
    await sleep(ms);
  }

  nowMs(): number {
    return performance.now();
  }

  async kill(): Promise<void> {
    await this.#kind.kill();
  }

  async restart(): Promise<void> {
    await this.#kind.restart();
  }

  async dispose(): Promise<void> {
    for (const relay of this.#relays) relay.close();
    await this.#kind.dispose();
    this.#rules.check();
  }
}
