import type { Clock } from "../base/clock.ts";
import { mutant } from "../base/mutants.ts";
import type { Sequence } from "../model/position.ts";
import type { Beacon } from "./read-lease.ts";

/** An echo, and when this beacon was echoed first, on this node's clock. */
interface SentEcho {
  readonly beacon: Beacon;
  readonly sentMs: number;
}

/** Once everything up to `commit` can be read here, this copy shows all that was committed at `asOfMs`. */
interface Proof {
  readonly commit: Sequence;
  readonly asOfMs: number;
}

/** What of one message of the leader says how fresh a copy may become. */
export interface LeaderWord {
  readonly leaseOk: boolean;
  readonly lastEcho: Beacon;
  readonly commit: Sequence;
}

const SENT_MAX = 1024;
const PROOFS_MAX = 256;

/**
 * Since when at the latest a replica shows everything that was committed (rule R8), by its own clock alone.
 *
 * A message that names an echo of ours was made after that echo was sent; if its sender was under lease, nothing was committed by
 * then that its commit position leaves out. Owns the times of the echoes of one session. A message without a lease proves nothing,
 * or the replicas of a deposed leader would call themselves fresh (M51). In doubt the copy is taken for older than it is.
 */
export class Freshness {
  readonly #clock: Clock;
  #sent: SentEcho[] = [];
  #proofs: Proof[] = [];
  #freshAtMs = Number.NEGATIVE_INFINITY;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** Everything committed at this moment can be read here; minus infinity: nothing is known. */
  get freshAtMs(): number {
    return this.#freshAtMs;
  }

  /** A frame with this echo is about to be sent. Only the first time counts: the leader may have it from that one. */
  onEcho(beacon: Beacon): void {
    if (beacon === 0 || beacon <= (this.#sent.at(-1)?.beacon ?? 0)) return;
    this.#sent.push({ beacon, sentMs: this.#clock.nowMs() });
    if (this.#sent.length > SENT_MAX) this.#sent.shift();
  }

  /** A message of the session came, whose leader has matched this log. */
  onWord({ leaseOk, lastEcho, commit }: LeaderWord): void {
    if (!leaseOk && !mutant("M51")) return;
    const at = this.#sent.findIndex((sent) => sent.beacon === lastEcho);
    const asOfMs = this.#sent[at]?.sentMs;
    if (asOfMs === undefined) return;
    this.#sent.splice(0, at);
    if (asOfMs <= (this.#proofs.at(-1)?.asOfMs ?? this.#freshAtMs) || this.#proofs.length >= PROOFS_MAX) return;
    this.#proofs.push({ commit, asOfMs: mutant("X11") ? this.#clock.nowMs() : asOfMs });
  }

  /**
   * Everything up to `visible` can be read here. `isOpen`: the first entry of the present leadership is among it; before that its
   * leader's commit position may lack what the one before had committed (rule R3).
   */
  onVisible(visible: Sequence, isOpen: boolean): void {
    if (!isOpen) return;
    let count = 0;
    for (const { commit, asOfMs } of this.#proofs) {
      if (commit > visible) break;
      this.#freshAtMs = asOfMs;
      count++;
    }
    if (count > 0) this.#proofs.splice(0, count);
  }

  /** A new session: its beacons are others. */
  onSession(): void {
    this.#sent = [];
    this.#proofs = [];
  }

  /** The copy starts anew: what was said of it is not true of the next one. */
  reset(): void {
    this.onSession();
    this.#freshAtMs = Number.NEGATIVE_INFINITY;
  }
}
