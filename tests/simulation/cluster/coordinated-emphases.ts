import { emphasis, type Emphasis } from "./emphasis.ts";

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

/** What operators do while members take over by themselves: handovers, members that come and go, promotions by force. */
const ADMINISTERED: Emphasis = emphasis({
  isCoordinated: true,
  faults: {
    promotion: false,
    handover: true,
    "clean stop": true,
    "member change": true,
    "coordinator outage": false,
    absence: true,
    wipe: false,
    blackout: false,
    "disk full": false,
    "flush error": false,
    "hanging flush": false,
    "swapped directories": false,
  },
  parameters: { "absence interval": 6000, "clean stop interval": 4000, think: 40, keys: 6 },
  expected: ["leadership handed over", "member added", "member removed", "promotion"],
});

/** Operators who promote past a leader that nobody hears, outside the set: what they say is lost may be lost, and all agree. */
const FORCED: Emphasis = {
  ...ADMINISTERED,
  replication: "in-sync",
  faults: { ...ADMINISTERED.faults, "forced promotion": true, "member change": false },
  expected: ["promotion by force"],
};

/** Bits flip on disks, directories are emptied or exchanged: whoever has lost something leads no more. */
const DAMAGED: Emphasis = emphasis({
  isCoordinated: true,
  faults: { promotion: false, corruption: true, wipe: true, absence: true, "swapped directories": true },
  parameters: { "absence interval": 6000, "corruption interval": 1500, "share of damaged rows": 0.8 },
  expected: ["directory of another node refused", "promotion", "wiped replica"],
});

const CALM: Readonly<Record<string, boolean>> = {
  ...TAKEOVERS.faults,
  absence: false,
  blink: false,
  breath: false,
  "late requests": false,
  stall: false,
  "slow disk": false,
  "hanging flush": false,
  "slow network": false,
  spikes: false,
  resets: false,
  "death of a copy": false,
};

/** A leader that serves nobody, but is still heard: somebody else must take over. */
const USELESS_LEADERS: Emphasis = emphasis({
  isCoordinated: true,
  replication: "in-sync",
  shardCount: 1,
  faults: { ...CALM, "useless leader": true },
  parameters: { latency: 1, flush: 2, think: 40, "least in sync": 1, "members 0": 2 },
  expected: ["leader replaced whose disk hangs", "leader replaced who hears nobody"],
});

/** The coordinator is lost when all is well: nobody notices. */
const ORPHANS: Emphasis = emphasis({
  isCoordinated: true,
  replication: "in-sync",
  faults: { ...CALM, "lost coordinator": true },
  parameters: { latency: 1, flush: 2, apply: 5, think: 60, retain: 1_000_000 },
});

/** The coordinator comes back with an old backup: nobody goes by it, and nothing is lost when its documents are made anew. */
const RESTORED: Emphasis = emphasis({
  isCoordinated: true,
  replication: "in-sync",
  shardCount: 1,
  faultMs: 30_000,
  faults: { ...CALM, handover: true, "restored coordinator": true },
  parameters: { latency: 1, flush: 2, think: 60, "handover interval": 1500 },
  expected: ["coordinator restored from an old backup", "documents rebuilt"],
});

/** A leader whose disk is full, beside replicas that have room: writes must go on. */
const FULL_LEADERS: Emphasis = emphasis({
  isCoordinated: true,
  shardCount: 1,
  faults: { ...CALM, "full leader": true },
  parameters: {
    segment: 2048,
    "segment growth": 1,
    latency: 1,
    flush: 2,
    think: 30,
    reads: 0.2,
    values: 1500,
    "least in sync": 1,
    "members 0": 2,
  },
  expected: ["full leader handed over"],
});

/** Full and hanging disks, handovers and takeovers at once, under clients that have sessions: leaders change for every reason there is. */
const BUSY: Emphasis = emphasis({
  isCoordinated: true,
  hasSessions: true,
  faults: {
    promotion: false,
    handover: true,
    "disk full": true,
    "hanging flush": true,
    absence: true,
    "late requests": true,
    wipe: false,
    "swapped directories": false,
  },
  parameters: {
    segment: 2048,
    "segment growth": 1,
    "handover interval": 3000,
    "disk full interval": 3000,
    "hanging flush interval": 4000,
    "absence interval": 4000,
  },
});

/** Those with a coordinator by name. */
export const COORDINATED_EMPHASES: Readonly<Record<string, Emphasis>> = {
  coordinated: COORDINATED,
  takeovers: TAKEOVERS,
  trios: TRIOS,
  leases: LEASES,
  "late-claims": LATE_CLAIMS,
  "wild-clocks": WILD_CLOCKS,
  sessions: SESSIONS,
  "wild-sessions": WILD_SESSIONS,
  "lossy-sessions": LOSSY_SESSIONS,
  administered: ADMINISTERED,
  forced: FORCED,
  damaged: DAMAGED,
  "useless-leaders": USELESS_LEADERS,
  orphans: ORPHANS,
  restored: RESTORED,
};

/** Those that no mixed run draws, so that its seeds stay what they are. */
export const LATER_EMPHASES: Readonly<Record<string, Emphasis>> = {
  "full-leaders": FULL_LEADERS,
  "busy-async": { ...BUSY, replication: "async" },
  "busy-in-sync": { ...BUSY, replication: "in-sync", faults: { ...BUSY.faults, "member change": true } },
};
