import type { SeededRandom } from "../../../src/base/random.ts";

/** What a scenario decides by hand; everything else is drawn from the seed. */
export interface Emphasis {
  /** Faults that are there, or are not, whatever is drawn. */
  readonly faults: Readonly<Record<string, boolean>>;
  /** Parameters by name that are not drawn. */
  readonly parameters?: Readonly<Record<string, number>>;
  readonly replication?: "async" | "in-sync";
  readonly shardCount?: number;
  readonly memberCount?: number;
  /**
   * Whether operators may promote past a leader that still runs (rule T6): then linearizability holds up to that moment only,
   * and what is checked beyond it is that everybody agrees in the end.
   */
  readonly allowsSplit?: boolean;
  /** Whether a coordinator holds the documents of the shards, and members take over by themselves. */
  readonly isCoordinated?: boolean;
  /** Whether monotonic clocks break the assumptions A1 and A2: then reads may be stale, and only what is written is checked. */
  readonly hasWildClocks?: boolean;
  /** Whether there are clients that repeat requests under an id, send back what they have seen, and bound what they read. */
  readonly hasSessions?: boolean;
  /** How long faults strike, in milliseconds of virtual time; 20 s unless given. */
  readonly faultMs?: number;
  /** Situations that many seeds together must come through, or they do not test what they are for. */
  readonly expected?: readonly string[];
}

/** Faults that need rules of their own: they are drawn for no seed, scenarios ask for them. */
const NEVER_DRAWN = {
  corruption: false,
  "disk brim-full": false,
  "coordinator outage": false,
  "coordinator cut": false,
  "late requests": false,
  "late claims": false,
  handover: false,
  "member change": false,
  "forced promotion": false,
  "useless leader": false,
  "full leader": false,
  "lost coordinator": false,
  "restored coordinator": false,
  absence: false,
  breath: false,
  "death of a candidate": false,
  "frozen clock": false,
  "wild clock": false,
} as const;

/** What is left out where a rare situation is looked for. */
const FOCUSED = {
  blink: false,
  "clock step": false,
  "death in a call": false,
  duplicates: false,
  flapping: false,
  "hanging flush": false,
  "slow network": false,
  stall: false,
  "swapped directories": false,
} as const;

const BALANCED: Emphasis = { faults: NEVER_DRAWN };

/** Operators promote past leaders that still run, and two at a time: what is left to check is that all agree in the end. */
const SPLIT: Emphasis = emphasis({ allowsSplit: true, faults: { promotion: true, partition: true } });

/** Two promotions at a time, each by somebody who cannot hear of the other one. */
const DUELS: Emphasis = emphasis({
  allowsSplit: true,
  memberCount: 3,
  faults: { ...FOCUSED, promotion: true, kill: false, blackout: false },
  parameters: { duels: 0.8, "promotion interval": 4000 },
});

/** Bits flip on disks. A leader may lose the end of its log that way: what it alone had is lost, and it says so. */
const CORRUPTION: Emphasis = emphasis({ faults: { corruption: true } });

/** Disks fill up to the last byte: nodes may end and start again, but nothing is lost. */
const BRIM_FULL: Emphasis = emphasis({ faults: { "disk brim-full": true } });

const SHORT_LOGS = {
  retain: 1024,
  "retain at most": 4096,
  segment: 2048,
  "segment growth": 1,
  chunk: 300,
  think: 40,
  reads: 0.2,
} as const;

/** Replicas that have to copy rows, while the leader's tree is busy and its log is short. */
const COPIES: Emphasis = emphasis({
  memberCount: 2,
  faults: { ...FOCUSED, wipe: true, kill: true, "death of a copy": true, "disk full": false },
  parameters: { ...SHORT_LOGS, apply: 400, "transaction rows": 3, keys: 30, "wipe interval": 2000 },
  expected: ["copy is ahead of its base"],
});

/** Copies from leaders that lose power while their flushes take long: what such a leader had not flushed never was. */
const TORN_COPIES: Emphasis = emphasis({
  memberCount: 2,
  faults: {
    ...FOCUSED,
    wipe: true,
    kill: true,
    "death of a copy": true,
    "slow disk": false,
    "disk full": false,
    promotion: false,
  },
  parameters: {
    ...SHORT_LOGS,
    "wipe interval": 2000,
    "deaths of leaders that give rows": 0.9,
    "deaths by power": 1,
    flush: 60,
    keys: 30,
  },
});

/** Nodes that die again and again while their trees take in the log, in many small transactions: counters are counted twice. */
const REPLAYS: Emphasis = emphasis({
  memberCount: 2,
  faults: { ...FOCUSED, kill: true, wipe: false, "disk full": false },
  parameters: {
    reads: 0.2,
    increments: 0.4,
    "transaction rows": 3,
    apply: 400,
    "kill interval": 1200,
    keys: 30,
    think: 40,
  },
});

/** Replicas whose disks are slower than their leaders'. */
const SLOW_DISKS: Emphasis = emphasis({
  replication: "async",
  memberCount: 2,
  faults: { ...FOCUSED, "slow disk": true, kill: false, blackout: false, wipe: false, promotion: false },
  parameters: { "slow disk interval": 400, reads: 0.2, think: 40, apply: 1 },
});

/** Replicas that stay away while a log with room enough for them grows. */
const RETENTION: Emphasis = emphasis({
  replication: "async",
  memberCount: 2,
  faults: { ...FOCUSED, kill: true, wipe: false, promotion: false, "disk full": false, partition: true },
  parameters: {
    retain: 1024,
    "retain at most": 65_536,
    segment: 2048,
    "segment growth": 1,
    reads: 0.2,
    think: 40,
    "kill interval": 2000,
  },
});

/** In-sync pairs whose replicas are slow and whose leaders are replaced again and again. */
const FAILOVERS: Emphasis = emphasis({
  replication: "in-sync",
  memberCount: 2,
  faults: { ...FOCUSED, promotion: true, "slow disk": true, wipe: false },
  parameters: { "promotion interval": 1500, "slow disk interval": 1500, keys: 6, think: 40 },
});

/** Clients that repeat requests and have sessions, without an operator: the leaders stay who they are. */
const SESSIONS: Emphasis = emphasis({
  hasSessions: true,
  replication: "in-sync",
  memberCount: 2,
  faults: { promotion: false, wipe: false, kill: true, partition: true },
  parameters: { think: 60 },
  expected: ["bounded read from a replica", "request answered again", "session read from a replica"],
});

/** Power fails, after failed flushes more often than not, and nobody else has a copy. */
const POWER: Emphasis = emphasis({
  memberCount: 1,
  faults: { ...FOCUSED, "power cut": true, "flush error": true, promotion: false, wipe: false },
  parameters: { "power cut interval": 1000, "flush error interval": 1000, flush: 20 },
});

/** What is not decided is drawn, but for faults that need rules of their own. */
export function emphasis(parts: Partial<Emphasis>): Emphasis {
  return { ...parts, faults: { ...NEVER_DRAWN, ...parts.faults } };
}

/** Those of static mode by name. */
export const STATIC_EMPHASES: Readonly<Record<string, Emphasis>> = {
  balanced: BALANCED,
  split: SPLIT,
  duels: DUELS,
  corruption: CORRUPTION,
  "brim-full": BRIM_FULL,
  copies: COPIES,
  "torn-copies": TORN_COPIES,
  replays: REPLAYS,
  "slow-disks": SLOW_DISKS,
  retention: RETENTION,
  failovers: FAILOVERS,
  power: POWER,
  "static-sessions": SESSIONS,
};

/** The emphasis of a mixed run: the first one in `firstShare` of the seeds, each of the others as often as the next. */
export function drawEmphasis(random: SeededRandom, emphases: readonly Emphasis[], firstShare: number): Emphasis {
  const [first, ...others] = emphases;
  const drawn = random.next() < firstShare ? first : others[random.below(others.length)];
  return drawn ?? BALANCED;
}
