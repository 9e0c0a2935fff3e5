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

export function emphasis(parts: Partial<Emphasis>): Emphasis {
  return { ...parts, faults: { ...NEVER_DRAWN, ...parts.faults } };
}
