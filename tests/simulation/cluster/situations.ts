import { SPACE } from "../../../src/model/entry.ts";
import type { Key } from "../../../src/model/key.ts";
import type { Reply } from "../../../src/model/operation.ts";
import type { ClusterWorld } from "./cluster-world.ts";
import type { OperationNotes } from "./cluster-history.ts";
import type { RunningNode } from "./sim-machine.ts";

/** Situations that many seeds together must come through, or the simulation does not test what it is for. */
export const EXPECTED_SITUATIONS: readonly string[] = [
  "acknowledged write lost by a promotion",
  "copy resumed after a crash",
  "cut off from a trimmed log",
  "deposed leader starts anew",
  "divergence cut",
  "eventual read from a replica",
  "exit upon a disk error",
  "longer log fetched at a leader's restart",
  "outcome unknown",
  "promotion",
  "promotion refused",
  "read of a value that is not committed yet",
  "read refused while its value is not committed",
  "replica told that this is not the leader",
  "request sent elsewhere",
  "restart of a leader",
  "snapshot bootstrap",
  "two leaders at once",
  "wiped leader",
  "wiped replica",
  "write refused for want of replicas",
  "write refused on a full disk",
  "write taken after a full disk, without a restart",
  "write waited too long for a segment",
];

/** Notes which of the situations worth testing a run comes through. */
export class Situations {
  readonly #world: ClusterWorld;
  /** Nodes that refused a write because their disk was full. */
  readonly #full: WeakSet<RunningNode> = new WeakSet();

  constructor(world: ClusterWorld) {
    this.#world = world;
    world.network.watch = (to, type) => this.#onMessage(to, type);
  }

  /** A client is about to read `key`. */
  onRead(key: Key): void {
    const { name } = this.#world.shape.topology.shardOfKey(key);
    const leader = this.#world.machines.find((machine) => machine.shard.name === name && machine.isLeading);
    if (leader?.store === null || leader === undefined) return;
    const { sequence } = leader.store.view.get(SPACE.user, key, Number.MAX_SAFE_INTEGER);
    const isOpen = sequence > leader.store.settledSequence;
    this.#world.simulation.markers.sometimes("read of a value that is not committed yet", isOpen);
  }

  onAnswer(reply: Reply, { shard }: OperationNotes): void {
    const { markers } = this.#world.simulation;
    const leader = this.#world.machines.find((machine) => machine.shard.name === shard && machine.isLeading)?.running;
    if (reply.ok) {
      const isBack =
        leader !== null && leader !== undefined && reply.result.kind === "written" && this.#full.delete(leader);
      markers.sometimes("write taken after a full disk, without a restart", isBack);
      return;
    }
    const { code, message } = reply.error;
    markers.sometimes("outcome unknown", code === "UNKNOWN_OUTCOME");
    markers.sometimes("write refused on a full disk", code === "DISK_FULL");
    markers.sometimes("write refused for want of replicas", code === "NOT_ENOUGH_REPLICAS");
    markers.sometimes("write waited too long for a segment", message.includes("preparing room"));
    markers.sometimes("read refused while its value is not committed", message.includes("the read was not answered"));
    if (code === "DISK_FULL" && leader !== null && leader !== undefined) this.#full.add(leader);
  }

  /** The faults are over. */
  onHealed(): void {
    const retried = this.#world.machines.some(({ running }) => (running?.core.counters.retried ?? 0) > 0);
    this.#world.simulation.markers.sometimes("request sent elsewhere", retried);
  }

  #onMessage(to: string, type: string): void {
    const { markers } = this.#world.simulation;
    if (type === "NOT_LEADER") markers.sometimes("replica told that this is not the leader");
    if (type !== "FETCHED") return;
    const machine = this.#world.machines.find(({ node }) => node === to);
    const reason = machine?.running?.member.readiness().reason ?? "";
    markers.sometimes("longer log fetched at a leader's restart", reason.startsWith("fetches the end of the log"));
  }
}
