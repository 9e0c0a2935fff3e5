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
  absence: false,
  breath: false,
  "death of a candidate": false,
  "frozen clock": false,
  "wild clock": false,
} as const;

const BALANCED: Emphasis = { faults: NEVER_DRAWN };

/** Operators promote past leaders that still run, and two at a time: what is left to check is that all agree in the end. */
const SPLIT: Emphasis = emphasis({ allowsSplit: true, faults: { promotion: true, partition: true } });

/** Two promotions at a time, each by somebody who cannot hear of the other one. */
const DUELS: Emphasis = emphasis({
  allowsSplit: true,
  memberCount: 3,
  faults: { promotion: true, kill: false, blackout: false },
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
  faults: { wipe: true, kill: true, "death of a copy": true, "disk full": false },
  parameters: { ...SHORT_LOGS, apply: 400, "transaction rows": 3, keys: 30, "wipe interval": 2000 },
});

/** Copies from leaders that lose power while their flushes take long: what such a leader had not flushed never was. */
const TORN_COPIES: Emphasis = emphasis({
  memberCount: 2,
  faults: { wipe: true, kill: true, "death of a copy": true, "slow disk": false, "disk full": false, promotion: false },
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
  faults: { kill: true, wipe: false, "disk full": false },
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
  faults: { "slow disk": true, kill: false, blackout: false, wipe: false, promotion: false },
  parameters: { "slow disk interval": 400, reads: 0.2, think: 40, apply: 1 },
});

/** Replicas that stay away while a log with room enough for them grows. */
const RETENTION: Emphasis = emphasis({
  replication: "async",
  memberCount: 2,
  faults: { kill: true, wipe: false, promotion: false, "disk full": false, partition: true },
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
  faults: { promotion: true, "slow disk": true, wipe: false },
  parameters: { "promotion interval": 1500, "slow disk interval": 1500, keys: 6, think: 40 },
});

/** Members that take over by themselves, with a coordinator that is slow, silent, gone, and answers what was given up long ago. */
const COORDINATED: Emphasis = emphasis({
  isCoordinated: true,
  faults: {
    promotion: false,
    "coordinator outage": true,
    "coordinator cut": true,
    "late requests": true,
    absence: true,
  },
  expected: [
    "a request arrived at the coordinator after its caller gave up",
    "an answer of the coordinator was lost",
    "coordinator outage",
    "cut from the coordinator",
    "directory of another node refused",
    "killed within a call to the disk",
    "leader cut off from everybody",
    "leader's disk hangs",
    "one-way partition",
    "promotion",
    "restart of a leader",
    "snapshot bootstrap",
    "wiped leader",
    "wiped replica",
  ],
});

/** In-sync shards whose leaders are away again and again for longer than others wait, beside a coordinator that mostly answers. */
const TAKEOVERS: Emphasis = emphasis({
  isCoordinated: true,
  replication: "in-sync",
  shardCount: 1,
  faultMs: 30_000,
  faults: {
    promotion: false,
    absence: true,
    blink: true,
    breath: true,
    "disk full": false,
    "flush error": false,
    "late requests": true,
    wipe: false,
    blackout: false,
    kill: false,
    "death in a call": false,
    "clean stop": false,
    "power cut": false,
    pause: false,
    partition: false,
    flapping: false,
    "swapped directories": false,
  },
  expected: ["divergence cut", "leader cut off from everybody", "outcome unknown", "promotion"],
  parameters: { "absence interval": 3000, "blink interval": 5000, "breath interval": 6000, think: 40, keys: 6 },
});

/** The same with three members: whom a majority, or anybody, does not stand for. */
const TRIOS: Emphasis = { ...TAKEOVERS, memberCount: 3 };

/** Leaders that are cut off for a moment just when a replica may forget what it promised: whose lease holds for how long. */
const LEASES: Emphasis = {
  ...TAKEOVERS,
  memberCount: 2,
  faults: { ...TAKEOVERS.faults, "late requests": false, stall: false, "slow disk": false, "hanging flush": false },
  parameters: {
    ...TAKEOVERS.parameters,
    "absence interval": 1500,
    "absence at most": 4000,
    "share of cuts": 0.8,
    "breath interval": 3000,
    "blink interval": 10_000,
    "coordinator latency": 2,
    latency: 0.5,
    flush: 2,
  },
  expected: ["leader cut off from everybody", "promotion"],
};

/** Claims to the leadership that arrive late, of candidates that have died meanwhile. */
const LATE_CLAIMS: Emphasis = {
  ...TAKEOVERS,
  memberCount: 2,
  faults: { ...TAKEOVERS.faults, "death of a candidate": true, "late claims": true, breath: false, blink: false },
  expected: ["candidate killed", "a request arrived at the coordinator after its caller gave up"],
};

/** Monotonic clocks stand still or run wild, which only reads rest upon (A1, A2): what is acknowledged must not be lost even so. */
const WILD_CLOCKS: Emphasis = emphasis({
  ...TAKEOVERS,
  hasWildClocks: true,
  faults: { ...TAKEOVERS.faults, "frozen clock": true, "wild clock": true },
  expected: ["monotonic clock that stood still", "monotonic clock out of bounds", "promotion"],
});

/** Clients that repeat requests, have sessions, and read strictly, of shards whose leaders are away again and again. */
const SESSIONS: Emphasis = {
  ...TAKEOVERS,
  hasSessions: true,
  memberCount: 3,
  faults: { ...TAKEOVERS.faults, "coordinator cut": true, kill: true, pause: true, partition: true },
  expected: [
    "bounded read from a replica",
    "promotion",
    "request answered again",
    "request repeated whose fate was open",
    "session read from a replica",
    "strict read from a leader",
  ],
};

/** The same where clocks stand still or run wild: strict reads, sessions and request ids rest upon none. */
const WILD_SESSIONS: Emphasis = {
  ...WILD_CLOCKS,
  hasSessions: true,
  expected: ["request answered again", "session read from a replica", "strict read from a leader"],
};

/** The same where a promotion may lose what was acknowledged: whoever has seen it is told so. */
const LOSSY_SESSIONS: Emphasis = {
  ...TAKEOVERS,
  hasSessions: true,
  replication: "async",
  expected: ["acknowledged write lost by a promotion", "session read from a replica", "session told of its loss"],
};

/** The same in static mode, without an operator: the leaders stay who they are. */
const STATIC_SESSIONS: Emphasis = emphasis({
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
  faults: { "power cut": true, "flush error": true, promotion: false, wipe: false },
  parameters: { "power cut interval": 1000, "flush error interval": 1000, flush: 20 },
});

function emphasis(parts: Partial<Emphasis>): Emphasis {
  return { ...parts, faults: { ...NEVER_DRAWN, ...parts.faults } };
}

/** All of them by name. In a mixed run the first is drawn as often as all others together. */
export const EMPHASES: Readonly<Record<string, Emphasis>> = {
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
  coordinated: COORDINATED,
  takeovers: TAKEOVERS,
  trios: TRIOS,
  leases: LEASES,
  "late-claims": LATE_CLAIMS,
  "wild-clocks": WILD_CLOCKS,
  sessions: SESSIONS,
  "wild-sessions": WILD_SESSIONS,
  "lossy-sessions": LOSSY_SESSIONS,
  "static-sessions": STATIC_SESSIONS,
};

/** The emphasis of a mixed run. */
export function drawEmphasis(random: SeededRandom): Emphasis {
  const others = Object.values(EMPHASES)
    .slice(1)
    .filter(({ isCoordinated, hasSessions }) => isCoordinated !== true && hasSessions !== true);
  return random.next() < 0.5 ? BALANCED : (others[random.below(others.length)] ?? BALANCED);
}
