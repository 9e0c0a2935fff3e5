import type { SmallDisk } from "../cluster/support/small-disk.ts";
import type { TestNode } from "../cluster/support/test-node.ts";
import type { Fault } from "./fault.ts";
import type { CoordinatorKind } from "./lab/lab-coordinator.ts";

export interface Scenario {
  readonly name: string;
  /** A sentence's end: "kills …". */
  readonly title: string;
  readonly shardCount: number;
  /** Of each shard, its leader included. */
  readonly memberCount: number;
  readonly coordinators: readonly CoordinatorKind[];
  /** Data directories are small file systems of their own, so large. */
  readonly diskMb?: number;
  /** Uses `strace`. */
  readonly needsTracer?: boolean;
  faults(options: FaultOptions): readonly Fault[];
}

export interface FaultOptions {
  readonly coordinator: CoordinatorKind;
  /** How long the run is to last. */
  readonly seconds: number;
  /** The small disk of a node, where the scenario has them. */
  readonly diskOf: (node: TestNode) => SmallDisk;
}
