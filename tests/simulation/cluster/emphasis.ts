/** What a scenario decides by hand; everything else is drawn from the seed. */
export interface Emphasis {
  /** Faults that are there, or are not, whatever is drawn. */
  readonly faults: Readonly<Record<string, boolean>>;
  readonly replication?: "async" | "in-sync";
  readonly shardCount?: number;
  readonly memberCount?: number;
  /**
   * Whether operators may promote past a leader that still runs (rule T6): then linearizability holds up to that moment only,
   * and what is checked beyond it is that everybody agrees in the end.
   */
  readonly allowsSplit?: boolean;
  /** Factors on intervals of faults: below 1 is more often. */
  readonly intervalFactors?: Readonly<Record<string, number>>;
}

/** Faults that need rules of their own: they are drawn for no seed, scenarios ask for them. */
const NEVER_DRAWN = { corruption: false, "disk brim-full": false } as const;

export const BALANCED: Emphasis = { faults: NEVER_DRAWN };

/** Operators promote past leaders that still run, and two at a time: what is left to check is that all agree in the end. */
export const SPLIT: Emphasis = emphasis({ allowsSplit: true, faults: { promotion: true, partition: true } });

/** Bits flip on disks. A leader may lose the end of its log that way: what it alone had is lost, and it says so. */
export const CORRUPTION: Emphasis = emphasis({ faults: { corruption: true } });

/** Disks fill up to the last byte: nodes may end and start again, but nothing is lost. */
export const BRIM_FULL: Emphasis = emphasis({ faults: { "disk brim-full": true } });

function emphasis(parts: Partial<Emphasis>): Emphasis {
  return { ...parts, faults: { ...NEVER_DRAWN, ...parts.faults } };
}
