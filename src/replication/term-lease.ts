import type { Clock } from "../base/clock.ts";
import { mutant } from "../base/mutants.ts";
import type { NodeName } from "../model/position.ts";
import { EchoedBeacons } from "./echoed-beacons.ts";
import { type Beacon, ReadLease } from "./read-lease.ts";

/** What the frames and the reads of one leadership ask about its right to answer reads (§2.9). */
export interface TermLease {
  /** For a frame that is about to be sent; 0 when the replica must promise nothing for it (rules L8, L10). */
  beacon(): Beacon;
  /** As `beacon`, of a moment of its own: newer than what any frame before carried. */
  freshBeacon(): Beacon;
  /** The newest beacon so far. */
  readonly lastBeacon: Beacon;
  /**
   * Whether all other members that a commit needs have echoed a beacon newer than `after`: when that was sent, nobody else led.
   * Without any other member nobody can take over, and there is nothing to prove (rule L9).
   */
  hasProof(after: Beacon): boolean;
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
  readonly #others: () => readonly NodeName[];
  readonly #echoed = new EchoedBeacons();
  #beacon: Beacon = 0;

  /** `others`: the other members of the in-sync set, whom strict reads ask. */
  constructor(others: () => readonly NodeName[] = () => []) {
    this.#others = others;
  }

  beacon(): Beacon {
    return ++this.#beacon;
  }

  freshBeacon(): Beacon {
    return this.beacon();
  }

  get lastBeacon(): Beacon {
    return this.#beacon;
  }

  hasProof(after: Beacon): boolean {
    return this.#echoed.areBehind(after, this.#others());
  }

  isValid(): boolean {
    return true;
  }

  onEcho(node: NodeName, beacon: Beacon): void {
    if (beacon <= this.#beacon) this.#echoed.note(node, beacon);
  }

  tick(): void {}

  /** In static mode a leader that resigns does so for good. */
  suspend(): void {}
}

export interface PromisedLeaseParts {
  readonly clock: Clock;
  /** `L` */
  readonly leaseMs: number;
  /** When the document was asked for last: only a mistake goes by that (M22). */
  readonly readMs?: () => number;
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
  /** When the loop last looked (M12). */
  #isHeld = false;

  constructor(parts: PromisedLeaseParts) {
    this.#parts = parts;
    this.#lease = new ReadLease({ clock: parts.clock, leaseMs: parts.leaseMs });
  }

  beacon(): Beacon {
    return this.#mayAsk ? this.#lease.beacon() : 0;
  }

  freshBeacon(): Beacon {
    return this.#mayAsk ? this.#lease.freshBeacon() : 0;
  }

  get lastBeacon(): Beacon {
    return this.#lease.lastBeacon;
  }

  hasProof(after: Beacon): boolean {
    return !this.#isSuspended && this.#lease.hasProof(after, this.#parts.others());
  }

  isValid(): boolean {
    if (mutant("M12")) return this.#isHeld;
    const { clock, leaseMs, readMs } = this.#parts;
    if (mutant("M22") && readMs !== undefined && clock.nowMs() - readMs() < leaseMs) return true;
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
    this.#isHeld = this.#lease.holds(this.#parts.others());
  }

  get #mayAsk(): boolean {
    const { leaseMs, others, silenceMs, isFlushStuck } = this.#parts;
    const isUnheard = others().some((node) => silenceMs(node) > leaseMs && !mutant("M96"));
    return !isUnheard && !isFlushStuck() && !this.#isSuspended;
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
