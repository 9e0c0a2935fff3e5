import type { Clock } from "../base/clock.ts";
import type { NodeName } from "../model/position.ts";
import { type Beacon, ReadLease } from "./read-lease.ts";

/** What the frames and the reads of one leadership ask about its right to answer reads (§2.9). */
export interface TermLease {
  /** For a frame that is about to be sent; 0 when the replica must promise nothing for it (rules L8, L10). */
  beacon(): Beacon;
  /** Whether a read may be answered at this moment; asked after what was read is committed (rule L3). */
  isValid(): boolean;
  onEcho(node: NodeName, beacon: Beacon): void;
  /** To be called by the loop, often. */
  tick(): void;
  /**
   * While suspended no read is answered and no promise asked for: somebody else may lead already (§2.9, Handover). Ended by
   * `suspend(false)`, when it is certain that nobody does.
   */
  suspend(isSuspended: boolean): void;
}

/** In static mode nobody takes over by himself, and nothing is promised (rule T6): the lease holds as long as the leadership. */
export class StaticLease implements TermLease {
  #beacon: Beacon = 0;

  beacon(): Beacon {
    return ++this.#beacon;
  }

  isValid(): boolean {
    return true;
  }

  onEcho(): void {}

  tick(): void {}

  /** In static mode a leader that resigns does so for good. */
  suspend(): void {}
}

export interface PromisedLeaseParts {
  readonly clock: Clock;
  /** `L` */
  readonly leaseMs: number;
  /** The other members that a commit needs, also those about to join. */
  readonly others: () => readonly NodeName[];
  /** How long `node` has sent nothing at all, in milliseconds. */
  readonly silenceMs: (node: NodeName) => number;
  /** Whether what was written to this node's disk has not been flushed for too long (rule L8). */
  readonly isFlushStuck: () => boolean;
}

/**
 * The lease of a leader that others may replace: the promises of all members that a commit needs.
 *
 * Its frames ask for promises only while it can make use of them: a leader whose disk hangs (L8), or that does not hear a
 * member that may still hear it (L10), would otherwise keep everybody from taking over, and serve nobody.
 */
export class PromisedLease implements TermLease {
  readonly #parts: PromisedLeaseParts;
  readonly #lease: ReadLease;
  #isSuspended = false;

  constructor(parts: PromisedLeaseParts) {
    this.#parts = parts;
    this.#lease = new ReadLease({ clock: parts.clock, leaseMs: parts.leaseMs });
  }

  beacon(): Beacon {
    const { leaseMs, others, silenceMs, isFlushStuck } = this.#parts;
    const isUnheard = others().some((node) => silenceMs(node) > leaseMs);
    return isUnheard || isFlushStuck() || this.#isSuspended ? 0 : this.#lease.beacon();
  }

  isValid(): boolean {
    return !this.#isSuspended && this.#lease.holds(this.#parts.others());
  }

  suspend(isSuspended: boolean): void {
    this.#isSuspended = isSuspended;
  }

  onEcho(node: NodeName, beacon: Beacon): void {
    this.#lease.onEcho(node, beacon);
  }

  tick(): void {
    this.#lease.tick();
  }

  /** Milliseconds left; Infinity for a leader that needs nobody. */
  get remainingMs(): number {
    return this.#lease.remainingMs(this.#parts.others());
  }

  /** Milliseconds since the newest moment at which `node` is known to have been alive. */
  echoAgeMs(node: NodeName): number {
    return this.#lease.silenceMs(node);
  }
}
