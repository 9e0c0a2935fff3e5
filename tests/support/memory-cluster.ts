import { SeededRandom } from "../../src/base/random.ts";
import { keyOfText, type Key } from "../../src/model/key.ts";
import { DEFAULT_OPTIONS, type KeyOperation, type Reply, type RequestOptions } from "../../src/model/operation.ts";
import type { NodeName } from "../../src/model/position.ts";
import { freshSlotMap, Topology, type Shard } from "../../src/model/topology.ts";
import { NodeCore } from "../../src/node/node-core.ts";
import { ManualTimers } from "./manual-timers.ts";
import { MemoryMember, MemoryShard } from "./memory-member.ts";
import { MemoryNetwork } from "./memory-network.ts";

export interface MemoryNode {
  readonly name: NodeName;
  readonly core: NodeCore;
  readonly member: MemoryMember;
}

/** A cluster of `NodeCore`s over members and a network in memory; the file's first member of each shard leads epoch 1. */
export class MemoryCluster {
  readonly timers: ManualTimers = new ManualTimers();
  readonly network: MemoryNetwork = new MemoryNetwork(this.timers);
  readonly topology: Topology;
  readonly shards: readonly MemoryShard[];
  readonly #nodes = new Map<NodeName, MemoryNode>();

  /** Nodes are named `s0m0`, `s0m1`, … by shard and member. */
  constructor(options: { shardCount: number; memberCount: number }) {
    const shards: Shard[] = Array.from({ length: options.shardCount }, (_, index) => ({
      name: `shard${index}`,
      index,
      members: Array.from({ length: options.memberCount }, (_none, member) => {
        const node = `s${index}m${member}`;
        return { node, peer: `${node}:1`, resp: `${node}:2` };
      }),
    }));
    this.topology = new Topology({ cluster: "memory", shards, slotMap: freshSlotMap(shards) });
    this.shards = shards.map((shard) => new MemoryShard(shard.name));
    for (const shard of shards) for (const { node } of shard.members) this.#build(node, this.shards[shard.index]);
    for (const shard of shards) this.shards[shard.index]?.lead(shard.members[0]?.node ?? null);
  }

  node(name: NodeName): MemoryNode {
    const node = this.#nodes.get(name);
    if (node === undefined) throw new Error(`No node ${name}`);
    return node;
  }

  shard(index: number): MemoryShard {
    const shard = this.shards[index];
    if (shard === undefined) throw new Error(`No shard ${index}`);
    return shard;
  }

  /** Starts every node and lets them find their leaders. */
  start(): void {
    for (const { core } of this.#nodes.values()) core.start();
    this.timers.advance(50);
  }

  /** Faults of both directions between `node` and all others. */
  isolate(node: NodeName, fault: "refused" | "silent" | null): void {
    for (const other of this.#nodes.keys()) {
      if (other === node) continue;
      this.network.setFault(node, other, fault);
      this.network.setFault(other, node, fault);
    }
  }

  /** The `count`th key (from 0) that belongs to shard `index`. */
  keyOf(index: number, count = 0): Key {
    let seen = 0;
    for (let number = 0; ; number++) {
      const key = keyOfText(`key-${number}`);
      if (this.topology.shardOfKey(key).index === index && seen++ === count) return key;
    }
  }

  /** Sends an operation through `node` and lets time pass until it is answered (at most `limitMs`). */
  ask(node: NodeName, operation: KeyOperation, options: RequestOptions = DEFAULT_OPTIONS, limitMs = 10_000): Reply {
    return this.await<Reply>((done) => this.node(node).core.execute(operation, options, done), limitMs);
  }

  /** Lets time pass until `start`'s callback was called; fails when it never is, or is called twice. */
  await<Answer>(start: (done: (answer: Answer) => void) => void, limitMs = 10_000): Answer {
    const answers: Answer[] = [];
    start((answer) => answers.push(answer));
    const endMs = this.timers.nowMs() + limitMs;
    while (answers.length === 0 && this.timers.nowMs() < endMs) this.timers.advance(1);
    const [first] = answers;
    if (first === undefined || answers.length > 1) throw new Error(`${answers.length} answers in ${limitMs} ms`);
    return first;
  }

  #build(name: NodeName, shard: MemoryShard | undefined): void {
    if (shard === undefined) throw new Error("No such shard");
    const { timers, topology } = this;
    const network = this.network.endpoint(name);
    const member = new MemoryMember({ node: name, shard, network, timers });
    const random = new SeededRandom(this.#nodes.size + 1);
    const core = new NodeCore({
      node: name,
      topology,
      replication: "async",
      member,
      network,
      clock: timers,
      timers,
      random,
    });
    this.network.attach(name, core);
    this.#nodes.set(name, { name, core, member });
  }
}

export function setOf(key: Key, value: string | Buffer): KeyOperation {
  return {
    kind: "set",
    key,
    value: Buffer.from(value),
    contentType: "",
    expiry: { kind: "none" },
    condition: null,
    returnOld: false,
  };
}

export function getOf(key: Key): KeyOperation {
  return { kind: "get", key };
}

/** The value a get found, as text; null when there was none. Fails when the reply is no answer to a get. */
export function valueOf(reply: Reply): string | null {
  if (!reply.ok) throw new Error(`${reply.error.code}: ${reply.error.message}`);
  if (reply.result.kind === "absent") return null;
  if (reply.result.kind !== "value") throw new Error(`A ${reply.result.kind} answers no get`);
  return reply.result.record.value.toString();
}

export function codeOf(reply: Reply): string {
  return reply.ok ? "ok" : reply.error.code;
}
