import {
  coordinatorDown,
  coordinatorDownAndLeaderKilled,
  coordinatorDownAndReplicaKilled,
  coordinatorRestored,
  coordinatorWiped,
  etcdMembersKilled,
} from "./faults/coordinator.ts";
import { crash, crashOfEverybody } from "./faults/crash.ts";
import { diskFull, failingFlush, slowFlush } from "./faults/disk.ts";
import { sharedDirectory, swapped, wiped, wrongCluster } from "./faults/identity.ts";
import { flapping, lossy, partition } from "./faults/partition.ts";
import { pause, pauseCoordinator } from "./faults/pause.ts";
import { handover, rollingRestart } from "./faults/planned.ts";
import { busyNeighbours, fewDescriptors } from "./faults/resources.ts";
import type { CoordinatorKind } from "./lab/lab-coordinator.ts";
import type { Scenario } from "./scenario.ts";

const ALL_COORDINATORS: readonly CoordinatorKind[] = ["embedded", "etcd1", "etcd3"];
/** L and G of §2.2, as they are unless a configuration says otherwise. */
const LEASE_MS = 1500;
const GRACE_MS = 2000;
const LONG_PAUSE_MS = 30_000;
const LONG_MS = 10_000;
const FEW_DESCRIPTORS = 64;
const PAIR = { shardCount: 2, memberCount: 2, coordinators: ALL_COORDINATORS } as const;

const crashes: Scenario = {
  ...PAIR,
  name: "crash",
  title: "kill -9 of leaders, replicas, both and all, back after 0 to 30 s",
  faults: () => [
    crash("leader", 5),
    crash("replica", 1),
    crash("leader", 0),
    crash("both", 1),
    crashOfEverybody,
    crash("leader", 1, { isLong: true }),
    crash("replica", 5, { isLong: true }),
    crash("both", 0, { isLong: true }),
    crash("leader", 30, { isLong: true }),
    crash("replica", 30, { isLong: true }),
  ],
};

const pauses: Scenario = {
  ...PAIR,
  name: "pause",
  title: "SIGSTOP of leaders, replicas and the coordinator, for less and for more than lease and grace",
  faults: () => [
    pause("leader", 0.3 * LEASE_MS),
    pause("leader", 1.2 * LEASE_MS),
    pause("leader", 1.5 * GRACE_MS),
    pause("replica", 1.5 * GRACE_MS),
    pause("replica", 0.3 * LEASE_MS),
    pauseCoordinator(5000),
    pause("leader", LONG_PAUSE_MS),
    pause("replica", LONG_PAUSE_MS),
    pauseCoordinator(10_000),
  ],
};

const partitions: Scenario = {
  ...PAIR,
  name: "partition",
  title: "links between members and the coordinator cut, both ways and one way",
  faults: () => [
    partition("leader and coordinator cut off from the other", [{ from: "leader", to: "coordinator" }], 5000),
    partition(
      "leader isolated but from clients",
      [
        { from: "leader", to: "replica" },
        { from: "leader", to: "coordinator" },
      ],
      5000,
    ),
    partition("leader and replica cut off from each other", [{ from: "leader", to: "replica" }], 4000),
    partition("replica does not hear the leader", [{ from: "leader", to: "replica", isOneWay: true }], 4000),
    partition("leader does not hear the replica", [{ from: "replica", to: "leader", isOneWay: true }], 4000),
    partition("replica and coordinator cut off from each other", [{ from: "replica", to: "coordinator" }], 4000),
    lossy(20, 5000),
    partition(
      "leader isolated",
      [
        { from: "leader", to: "replica" },
        { from: "leader", to: "coordinator" },
        { from: "leader", to: "clients" },
      ],
      15_000,
    ),
    partition("coordinator does not hear the leader", [{ from: "leader", to: "coordinator", isOneWay: true }], 10_000),
    flapping,
  ],
};

const disks: Scenario = {
  ...PAIR,
  name: "disk",
  title: "disks full, slow and failing",
  diskMb: 512,
  needsTracer: true,
  faults: ({ diskOf }) => [
    diskFull("leader", diskOf),
    failingFlush("leader"),
    slowFlush("leader", 400, 4000),
    diskFull("replica", diskOf),
    slowFlush("replica", 400, LONG_MS),
    failingFlush("replica"),
    slowFlush("leader", 3000, LONG_MS),
    slowFlush("replica", 3000, LONG_MS),
  ],
};

const identities: Scenario = {
  ...PAIR,
  name: "identity",
  title: "directories wiped, swapped and shared, and nodes of another cluster",
  faults: () => [wiped("leader"), sharedDirectory, wiped("replica"), swapped, wrongCluster],
};

const coordinators: Scenario = {
  ...PAIR,
  name: "coordinator",
  title: "the coordinator killed and stopped, alone and with a member",
  faults: ({ coordinator }) => [
    coordinatorDown(6),
    coordinatorDownAndReplicaKilled,
    coordinatorDownAndLeaderKilled,
    ...(coordinator === "etcd3" ? [etcdMembersKilled(1, 4), etcdMembersKilled(2, 6)] : []),
    coordinatorWiped,
    coordinatorRestored,
    pauseCoordinator(10_000),
    coordinatorDown(120),
  ],
};

const planned: Scenario = {
  ...PAIR,
  name: "planned",
  title: "handovers and rolling restarts",
  faults: () => [handover, rollingRestart],
};

const resources: Scenario = {
  ...PAIR,
  name: "resources",
  title: "too few file descriptors, and neighbours that take all processors",
  faults: () => [fewDescriptors(FEW_DESCRIPTORS), busyNeighbours(4)],
};

const trios: Scenario = {
  ...crashes,
  name: "trio",
  title: "shards of three members: kills, pauses and cuts",
  shardCount: 1,
  memberCount: 3,
  faults: () => [
    crash("leader", 5),
    crash("replica", 1),
    partition(
      "leader isolated but from clients",
      [
        { from: "leader", to: "replica" },
        { from: "leader", to: "coordinator" },
      ],
      5000,
    ),
    crash("both", 1),
    pause("leader", 1.5 * GRACE_MS),
    pause("replica", 1.5 * GRACE_MS),
    crash("leader", 0),
  ],
};

const mix: Scenario = {
  ...PAIR,
  name: "mix",
  title: "faults of all kinds in random order",
  faults: (options) =>
    [crashes, pauses, partitions, identities, coordinators, planned, resources].flatMap((scenario) =>
      scenario.faults(options).filter(({ isLong }) => isLong !== true),
    ),
};

export const SCENARIOS: readonly Scenario[] = [
  crashes,
  pauses,
  partitions,
  disks,
  identities,
  coordinators,
  planned,
  resources,
  trios,
  mix,
];
