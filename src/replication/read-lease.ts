import type { Clock } from "../base/clock.ts";
import { mutant } from "../base/mutants.ts";
import type { NodeName } from "../model/position.ts";
import { EchoedBeacons } from "./echoed-beacons.ts";

/** Names the moment that a frame to a replica was made in. Rises. */
export type Beacon = number;

export interface ReadLeaseParts {
  readonly clock: Clock;
  /** `L`: how long the promise that an echo stands for is relied upon, from the sending of its beacon. */
  readonly leaseMs: number;
}

interface SentBeacon {
  readonly beacon: Beacon;
  readonly sentMs: number;
}

/** Frames of so short a time share a beacon: it then stands for the earliest of them, which is the safe side. */
const SHARED_MS = 5;
/** A loop that stood still for longer may have been stopped together with its clock (rule L4). */
const GAP_MS_MAX = 300;
const NEVER = Number.NEGATIVE_INFINITY;

/**
 * A leader's right to answer reads (§2.9): the fresh promise of *all* other members that a commit needs.
 *
 * Every frame to a replica carries a beacon; the replica's echo says that it promised, after receiving it, not to seek the
 * leadership for the grace time. The lease counts from the *sending* of the beacon (M14), so it ends before any promise
 * does. It is never ended by a timer: whoever relies on it reads the clock then (rule L2, M12).
 *
 * Owns when beacons were sent and what was echoed. Forgets in doubt: an echo of a beacon it no longer knows counts nothing.
 */
export class ReadLease {
  readonly #parts: ReadLeaseParts;
  #sent: SentBeacon[] = [];
  #lastBeacon: Beacon = 0;
  /** When the newest beacon that this member echoed was sent. */
  readonly #echoedMs = new Map<NodeName, number>();
  readonly #echoed = new EchoedBeacons();
  #tickMs: number;
  /** Beacons from before the last gap count nothing (rule L4). */
  #validFromMs = NEVER;

  constructor(parts: ReadLeaseParts) {
    this.#parts = parts;
    this.#tickMs = parts.clock.nowMs();
  }

  /** The beacon of a frame that is about to be handed to the socket (§2.6, leader step 5). */
  beacon(): Beacon {
    const nowMs = this.#parts.clock.nowMs();
    const last = this.#sent.at(-1);
    if (last !== undefined && nowMs - last.sentMs <= SHARED_MS) return last.beacon;
    return this.#newBeacon(nowMs);
  }

  /** As `beacon`, of a moment of its own: for reads that trust no clock and wait for an echo of it. */
  freshBeacon(): Beacon {
    return this.#newBeacon(this.#parts.clock.nowMs());
  }

  /** `node` has echoed `beacon`, in the session it has now. */
  onEcho(node: NodeName, beacon: Beacon): void {
    const sentMs = mutant("M14") ? this.#parts.clock.nowMs() : this.#sentMs(beacon);
    if (sentMs > (this.#echoedMs.get(node) ?? NEVER)) this.#echoedMs.set(node, sentMs);
    if (beacon <= this.#lastBeacon) this.#echoed.note(node, beacon);
  }

  /** The newest beacon so far: what was sent until now carries none behind it. */
  get lastBeacon(): Beacon {
    return this.#lastBeacon;
  }

  /** Whether all of `others` have echoed a beacon newer than `after`: no clock is asked. */
  hasProof(after: Beacon, others: readonly NodeName[]): boolean {
    return this.#echoed.areBehind(after, others);
  }

  /** To be called by the loop all the time: a gap between two calls ends what was granted before it (rule L4). */
  tick(): void {
    const nowMs = this.#parts.clock.nowMs();
    if (nowMs - this.#tickMs > GAP_MS_MAX) this.#validFromMs = nowMs;
    this.#tickMs = nowMs;
  }

  /** Whether the lease holds now, with `others` the members besides this one that a commit needs. Without any: always. */
  holds(others: readonly NodeName[]): boolean {
    return others.length === 0 || this.remainingMs(others) > 0;
  }

  /** Milliseconds until the lease ends unless it is renewed; 0 or less: it has ended. Infinite without `others`. */
  remainingMs(others: readonly NodeName[]): number {
    if (others.length === 0) return Number.POSITIVE_INFINITY;
    this.tick();
    const echoes = others.map((node) => this.#echoMs(node));
    const earliest = mutant("M17") ? Math.max(...echoes) : Math.min(...echoes);
    return earliest + this.#parts.leaseMs - this.#parts.clock.nowMs();
  }

  /** Milliseconds since `node` is known to have been alive: since the newest beacon that it echoed was sent. */
  silenceMs(node: NodeName): number {
    return this.#parts.clock.nowMs() - (this.#echoedMs.get(node) ?? NEVER);
  }

  #echoMs(node: NodeName): number {
    const echoedMs = this.#echoedMs.get(node) ?? NEVER;
    return echoedMs >= this.#validFromMs ? echoedMs : NEVER;
  }

  #newBeacon(nowMs: number): Beacon {
    this.#forgetBefore(nowMs - this.#parts.leaseMs);
    this.#sent.push({ beacon: ++this.#lastBeacon, sentMs: nowMs });
    return this.#lastBeacon;
  }

  /** An echo of what was sent before would grant nothing any more. */
  #forgetBefore(endMs: number): void {
    const kept = this.#sent.findIndex(({ sentMs }) => sentMs >= endMs);
    if (kept > 0) this.#sent.splice(0, kept);
    else if (kept < 0) this.#sent = [];
  }

  #sentMs(beacon: Beacon): number {
    return this.#sent.findLast((sent) => sent.beacon === beacon)?.sentMs ?? NEVER;
  }
}
