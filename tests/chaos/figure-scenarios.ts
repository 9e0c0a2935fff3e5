import { coordinatorDown } from "./faults/coordinator.ts";
import { killCycle, leaderKilledEvery } from "./faults/kill-cycle.ts";
import { filled, healedByLog, healedBySnapshot, steadyLoad } from "./faults/large-load.ts";
import { partition } from "./faults/partition.ts";
import { pause } from "./faults/pause.ts";
import type { CoordinatorKind } from "./lab/lab-coordinator.ts";
import type { Scenario } from "./scenario.ts";

const COORDINATORS: readonly CoordinatorKind[] = ["embedded", "etcd1", "etcd3"];
const PAIR = { shardCount: 2, memberCount: 2, coordinators: COORDINATORS } as const;
const LONG_PAUSE_MS = 30_000;
const SILENCE_MS = 3000;
const OUTAGE_S = 300;
const PERIOD_MS = 20_000;
const LARGE_MB = 1000;
const BEHIND_MB = 100;

/** Scenarios that repeat one thing, for its figures (§6.6). */
export const FIGURE_SCENARIOS: readonly Scenario[] = [
  {
    ...PAIR,
    name: "figures-kills",
    title: "leaders and replicas killed, again and again",
    shardCount: 4,
    faults: () => [killCycle(2)],
  },
  {
    ...PAIR,
    name: "figures-silence",
    title: "replicas cut off from their leaders, and replicas that stand still",
    shardCount: 4,
    faults: () => [
      partition("leader and replica cut off from each other", [{ from: "leader", to: "replica" }], SILENCE_MS),
      pause("replica", SILENCE_MS),
    ],
  },
  {
    ...PAIR,
    name: "figures-long-pause",
    title: "a leader that stands still for 30 s",
    faults: () => [pause("leader", LONG_PAUSE_MS)],
  },
  {
    ...PAIR,
    name: "figures-no-coordinator",
    title: "no coordinator for five minutes",
    faults: () => [coordinatorDown(OUTAGE_S)],
  },
  {
    ...PAIR,
    name: "figures-kill-every-20-s",
    title: "a leader killed every 20 s",
    faults: () => [leaderKilledEvery(PERIOD_MS)],
  },
  {
    ...PAIR,
    name: "figures-heal",
    title: "a replica that missed 100 MB, and one that lost a gigabyte",
    shardCount: 1,
    faults: () => [filled(LARGE_MB), healedByLog(BEHIND_MB), healedBySnapshot(LARGE_MB + BEHIND_MB)],
  },
  {
    ...PAIR,
    name: "figures-steady",
    title: "no fault at all, a million keys, seven tenths of the maximum load",
    faults: ({ seconds }) => [steadyLoad(seconds)],
  },
];
