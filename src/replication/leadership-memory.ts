import { mutant } from "../base/mutants.ts";
import type { Logger } from "../base/logger.ts";
import type { Leadership } from "../model/leadership.ts";
import { NO_EPOCH, type Epoch, type EpochRef, type NodeName } from "../model/position.ts";
import type { MemberState, MemberStateFile } from "./member-environment.ts";
import { hasRoomFor } from "./no-room.ts";
import { outranks } from "./startup-decision.ts";

/**
 * What this member knows of leaderships, kept in `node.json` and durable before anything is done about it (rules P1, T1–T4).
 *
 * Invariant: `seenEpoch` never falls, and a leadership is only ever replaced by one that outranks it.
 */
export class LeadershipMemory {
  readonly #file: MemberStateFile;
  readonly #logger: Logger;

  constructor(file: MemberStateFile, logger: Logger) {
    this.#file = file;
    this.#logger = logger;
  }

  get state(): MemberState {
    return this.#file.state;
  }

  get known(): Leadership | null {
    return this.#file.state.leadership;
  }

  /**
   * Takes a leadership that a leader claims for itself: false when it is outranked by what was seen, or by the log
   * (`logEpoch`), and must not be followed (rule P1).
   */
  adopt(leadership: Leadership, logEpoch: Epoch): boolean {
    if (mutant("M28")) {
      this.#file.replace({ ...this.state, leadership });
      return true;
    }
    if (leadership.epoch < Math.max(this.state.seenEpoch.epoch, logEpoch) || this.isRival(leadership)) return false;
    this.remember(leadership);
    return true;
  }

  /** Keeps `leadership` if it outranks what is known. */
  remember(leadership: Leadership): void {
    const { known, state } = this;
    if (mutant("M29") || (known !== null && !outranks(leadership, known))) return;
    // A higher number settles a contest between equal ones: somebody was promoted meanwhile (rule T2).
    const isHigher = leadership.epoch > (known?.epoch ?? 0);
    this.#replaceLeadership(leadership, isHigher ? { ...state, conflict: null } : state);
  }

  /** Equal numbers, different terms: two leaders began without knowing of each other (rules G6, T2). */
  isRival(leadership: Leadership): boolean {
    const { known } = this;
    return known !== null && leadership.epoch === known.epoch && leadership.term !== known.term;
  }

  /** Takes a leadership that an operator's promotion hands out (rule T1). */
  take(leadership: Leadership): { readonly isAccepted: boolean; readonly isNew: boolean } {
    const { known } = this;
    const isNew = leadership.epoch > Math.max(this.state.seenEpoch.epoch, known?.epoch ?? 0);
    if (isNew) this.#replaceLeadership(leadership, { ...this.state, conflict: null });
    const isSame = known !== null && known.term === leadership.term && known.epoch === leadership.epoch;
    return { isAccepted: isNew || isSame, isNew };
  }

  /** This node begins a leadership of its own: old faults are settled by it. */
  begin(leadership: Leadership): void {
    this.#replaceLeadership(leadership, { ...this.state, conflict: null, damage: null, tornEnd: false });
  }

  /** Somebody has seen `epoch`, whoever leads it; its term is not known yet. */
  noteSeen(epoch: Epoch): void {
    const { seenEpoch } = this.state;
    if (epoch > seenEpoch.epoch) this.#file.replace({ ...this.state, seenEpoch: { epoch, term: NO_EPOCH.term } });
  }

  /** Whether `seen` names the epoch of `own` with another term: whoever saw that follows another leader of the same number. */
  static contradicts(seen: EpochRef, own: EpochRef): boolean {
    return seen.epoch === own.epoch && seen.term !== own.term && seen.term !== NO_EPOCH.term && !mutant("M100");
  }

  /** Rule T2: this node leads, and `other` leads or follows with the same number. Who leads writes it down and stops. */
  noteConflict(other: NodeName, epoch: Epoch): void {
    if (this.state.conflict !== null) return;
    const conflict =
      `${other} has seen the same epoch ${epoch} with another term: two members began it, or this one was wiped; ` +
      "nobody leads until one is promoted (kv promote)";
    this.#file.replace({ ...this.state, conflict });
  }

  /** What this store once confirmed may be gone: under its old name it must not count any more (D7, S5). */
  noteDamage(damage: string, mustResync: boolean): void {
    const { state } = this;
    if (mutant("M69") || state.bootstrap?.phase === "copying") return;
    const store = { ...state.store, generation: state.store.generation + (mutant("M43") ? 0 : 1) };
    this.#file.replace({ ...state, store, damage, bootstrap: mustResync ? { phase: "copying" } : state.bootstrap });
    this.#logger.error("This store is damaged", { damage });
  }

  /** The newest batch was cut off, and may be damaged rather than torn. A full disk keeps nobody from starting over that. */
  noteTornEnd(sentence: string): void {
    this.#logger.warn(sentence);
    hasRoomFor(() => this.#file.replace({ ...this.state, tornEnd: true }));
  }

  #replaceLeadership(leadership: Leadership, state: MemberState): void {
    const isHigher = leadership.epoch >= state.seenEpoch.epoch;
    const seenEpoch = isHigher ? { epoch: leadership.epoch, term: leadership.term } : state.seenEpoch;
    this.#file.replace({ ...state, seenEpoch, leadership });
  }
}
