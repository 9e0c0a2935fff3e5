import type { EpochMark } from "../../../src/log/log.ts";
import type { Leadership } from "../../../src/model/leadership.ts";
import type { NodeName, Sequence } from "../../../src/model/position.ts";
import type { Shard } from "../../../src/model/topology.ts";

/** One leadership that began during a run. */
export interface BegunTerm {
  readonly epoch: number;
  readonly term: string;
  readonly node: NodeName;
  /** Its first entry. */
  readonly start: Sequence;
  /** The leaderships in its log when it began. */
  readonly epochs: readonly EpochMark[];
  readonly lineage: number;
  readonly isPromotion: boolean;
  /** Began by a promotion whose operator accepted that acknowledged writes are lost. */
  readonly acceptsLoss: boolean;
  readonly atMs: number;
}

/**
 * What an observer who sees everything knows of one shard: its leaderships in the order in which they began, when two leaders
 * ruled at once, and whether an operator is at work on it.
 */
export class ShardLedger {
  readonly shard: Shard;
  readonly terms: BegunTerm[] = [];
  /** When a second leader began while another one still was; the promises end here in static mode (rule T6). */
  splitAtMs: number | null = null;
  /** Those of `terms` that began before that. */
  readonly #undivided: BegunTerm[] = [];
  /** While an operator is at work: faults that he would wait for to be over do not strike this shard. */
  quietUntilMs = 0;
  /** Nodes of which a promotion was asked that accepts loss, and which have not been promoted since. */
  readonly lossRequests: Set<NodeName> = new Set();

  /** Epochs that began by an operator's word that loss is accepted, with a coordinator. */
  readonly forcedEpochs: Set<number> = new Set();
  readonly #isCoordinated: boolean;

  /** With a coordinator two leaders may overlap: the older one cannot commit any more, and only believes to lead. */
  constructor(shard: Shard, isCoordinated = false) {
    this.shard = shard;
    this.#isCoordinated = isCoordinated;
  }

  get highestEpoch(): number {
    return this.terms.reduce((highest, { epoch }) => Math.max(highest, epoch), 0);
  }

  /** Takes note that `leadership` begins with the entry `start`, on a node that had seen `seenEpoch` before. */
  begin(
    leadership: Leadership,
    at: {
      readonly start: Sequence;
      readonly epochs: readonly EpochMark[];
      readonly seenEpoch: number;
      readonly atMs: number;
      readonly otherLeads: boolean;
    },
  ): BegunTerm {
    const { epoch, term, lineage } = leadership;
    const { node } = leadership.leader;
    const isForced = this.#isCoordinated && this.#wasForced(epoch);
    const isOther = this.terms.length > 0 && this.terms.at(-1)?.node !== node;
    // In static mode a promotion writes its number down first, and a restart takes one that nobody has named; who dies between his
    // promotion and its first entry begins as after a restart, in another's place.
    const isPromotion = isOther || (this.#isCoordinated ? this.terms.length > 0 && isForced : epoch <= at.seenEpoch);
    const acceptsLoss = isPromotion && (isForced || (!this.#isCoordinated && this.lossRequests.delete(node)));
    if (!this.#isCoordinated && (at.otherLeads || epoch <= this.highestEpoch)) this.splitAtMs ??= at.atMs;
    const begun = {
      epoch,
      term,
      node,
      start: at.start,
      epochs: at.epochs,
      lineage,
      isPromotion,
      acceptsLoss,
      atMs: at.atMs,
    };
    this.terms.push(begun);
    if (this.splitAtMs === null) this.#undivided.push(begun);
    return begun;
  }

  /** Whether somebody was promoted by force since the last leadership, perhaps one who died before he began. */
  #wasForced(epoch: number): boolean {
    const last = this.terms.at(-1)?.epoch ?? 0;
    return [...this.forcedEpochs].some((forced) => forced > last && forced <= epoch);
  }

  /**
   * What became of the entry at (`epoch`, `sequence`) of some leadership, as later ones began. Only until leadership split: a rival
   * that lacks the entry takes nothing from those who saw it before, and whatever was seen by then must still agree.
   */
  fateOf(epoch: number, sequence: Sequence): EntryFate {
    let cutBy: BegunTerm | null = null;
    let isBack = false;
    for (const term of this.#undivided) {
      if (term.epoch <= epoch) continue;
      const isKept = sequence < term.start && epochAt(term.epochs, sequence) === epoch;
      if (!isKept) cutBy ??= term;
      else if (cutBy !== null) isBack = true;
    }
    return { cutBy, isBack };
  }
}

/** The first leadership whose log lacked an entry, and whether a later one had it again (from a copy that was not cut yet). */
export interface EntryFate {
  readonly cutBy: BegunTerm | null;
  readonly isBack: boolean;
}

/** The epoch of the entry at `sequence` in a log with these epochs. */
export function epochAt(epochs: readonly EpochMark[], sequence: Sequence): number | undefined {
  return epochs.findLast(({ firstSequence }) => firstSequence <= sequence)?.epoch;
}
