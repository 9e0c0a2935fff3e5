import { NO_REVISION } from "../../../src/coordinator/coordinator.ts";
import { documentKeys, shardKey } from "../../../src/model/document-keys.ts";
import { decodeShardDocument, encodeShardDocument, type ShardDocument } from "../../../src/model/shard-document.ts";
import type { Shard } from "../../../src/model/topology.ts";
import type { SeededRandom } from "../../../src/base/random.ts";
import { CALM_COORDINATOR, SimCoordinator } from "../base/sim-coordinator.ts";
import { MachineClock } from "../base/machine-clock.ts";
import { SimProcess } from "../base/sim-process.ts";
import type { Simulation } from "../base/simulation.ts";
import type { CoordinationShape } from "./cluster-shape.ts";
import type { SimMachine } from "./sim-machine.ts";

const TRY_AGAIN_MS = 100;

/**
 * The coordinator of a run, with the documents of its shards, which an operator makes once all members have started for the
 * first time.
 */
export class ShardRegistry {
  readonly coordinator: SimCoordinator;
  readonly #simulation: Simulation;
  readonly #cluster: string;
  readonly #random: SeededRandom;
  readonly #minInSync: number;
  readonly #decoded: Map<Shard, { readonly text: string; readonly document: ShardDocument }> = new Map();

  constructor(simulation: Simulation, cluster: string, shape: CoordinationShape) {
    this.#simulation = simulation;
    this.#cluster = cluster;
    this.coordinator = new SimCoordinator(simulation, { ...CALM_COORDINATOR, ...shape.faults });
    this.#random = simulation.randomFor("documents");
    this.#minInSync = shape.minInSync;
  }

  keyOf(shard: Shard): string {
    return shardKey(this.#cluster, shard.name);
  }

  /** The document in force; null before it is made. */
  documentOf(shard: Shard): ShardDocument | null {
    const stored = this.coordinator.documentOf(this.keyOf(shard));
    if (stored === undefined) return null;
    const known = this.#decoded.get(shard);
    if (known?.text === stored.value) return known.document;
    const document = decodeShardDocument(stored.value);
    this.#decoded.set(shard, { text: stored.value, document });
    return document;
  }

  /** Replaces the document in force, as an operator does who has just read it. */
  replace(shard: Shard, value: string): void {
    const key = this.keyOf(shard);
    const expectedRevision = this.coordinator.documentOf(key)?.revision ?? NO_REVISION;
    this.coordinator.swap(key, { expectedRevision, value });
  }

  /** Makes the document of `shard` as `kv init` does, as soon as its first member has a store. */
  make(shard: Shard, machines: readonly SimMachine[]): void {
    const random = this.#random.fork(shard.name);
    const process = new SimProcess({
      simulation: this.#simulation,
      name: `init of ${shard.name}`,
      clock: new MachineClock({ rate: 1, offsetMs: 0, wallOffsetMs: 0 }),
      random,
      onUncaught: (error) => this.#simulation.fail("documents are made", String(error)),
    });
    const client = this.coordinator.connect(process);
    const attempt = (): void => {
      if (this.documentOf(shard) !== null) return;
      this.#simulation.schedule(TRY_AGAIN_MS, "init", attempt);
      const first = machines.find(({ node }) => node === shard.members[0]?.node);
      const leader = first?.state?.store;
      if (leader === undefined || leader.node !== first?.node) return;
      const document: ShardDocument = {
        version: 1,
        epoch: 1,
        term: random.hex64(),
        leader,
        inSync: [leader],
        members: shard.members.map(({ node }) => node),
        minInSync: Math.min(this.#minInSync, shard.members.length),
        lineage: 0,
        token: `init/${documentKeys(this.#cluster).prefix}/${shard.name}`,
        cause: "create",
      };
      const swap = { expectedRevision: "0", value: encodeShardDocument(document) };
      process.enter(() => client.compareAndSwap(this.keyOf(shard), swap, () => {}));
    };
    attempt();
  }
}
