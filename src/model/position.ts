/** One leadership of one shard; raised at every change, never reused; fits 32 bits (replication.md D1). */
export type Epoch = number;

/** 64 random bits, drawn by whoever starts an epoch, as 16 hex digits (rule G6). */
export type Term = string;

/** Position in a shard's log: contiguous, the first entry is 1, 0 means "nothing". */
export type Sequence = number;

/** Version of a key: sequence + version base of the entry that wrote it (rule G3). Opaque to clients. */
export type Version = number;

/** A node's name: its HTTP address, `host:port`. */
export type NodeName = string;

/** One life of one data directory. `generation` rises when earlier "it is flushed" statements may no longer hold (D7). */
export interface StoreRef {
  readonly node: NodeName;
  readonly store: string;
  readonly generation: number;
}

/** A leadership, named so that equal numbers with different terms show as a divergence (rule G6). */
export interface EpochRef {
  readonly epoch: Epoch;
  readonly term: Term;
}

/** Before the first epoch. */
export const NO_EPOCH: EpochRef = { epoch: 0, term: "0000000000000000" };

/** Added to the version base at every promotion, so that no version is given out twice (README glossary). */
export const PROMOTION_VERSION_STEP: number = 2 ** 32;
