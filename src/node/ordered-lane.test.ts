import assert from "node:assert/strict";
import { test } from "node:test";
import { SeededRandom } from "../base/random.ts";
import { keyOfText } from "../model/key.ts";
import { LIMITS } from "../model/limits.ts";
import { DEFAULT_OPTIONS, type KeyOperation, type Reply } from "../model/operation.ts";
import { codeOf, getOf, MemoryCluster, setOf, valueOf } from "../../tests/support/memory-cluster.ts";
import type { MemoryShard } from "../../tests/support/memory-member.ts";
import type { RequestSequence } from "./gateway.ts";

const LARGE = "x".repeat(LIMITS.peerFragmentBytes + 1);

function cluster(memberCount = 2): MemoryCluster {
  const made = new MemoryCluster({ shardCount: 2, memberCount });
  made.start();
  return made;
}

function valuesSet(shard: MemoryShard): string[] {
  return shard.executed.flatMap((operation) => (operation.kind === "set" ? [operation.value.toString()] : []));
}

test("small requests of one connection do not overtake a large one on its way to the leader", () => {
  const made = cluster();
  const key = made.keyOf(1);
  const values = ["1", LARGE, "2", "3", LARGE + 4, "5"];
  const send = (requests: Pick<RequestSequence, "execute">): string[] => {
    made.shard(1).executed.length = 0;
    const replies: Reply[] = [];
    for (const value of values) requests.execute(setOf(key, value), DEFAULT_OPTIONS, (reply) => replies.push(reply));
    made.timers.advance(500);
    assert.deepEqual(
      replies.map(codeOf),
      values.map(() => "ok"),
    );
    return valuesSet(made.shard(1));
  };
  assert.deepEqual(send(made.node("s0m0").core.sequence()), values);
  assert.notDeepEqual(send(made.node("s0m0").core), values, "the network does let small ones overtake");
});

test("a large request of one connection holds up neither another connection nor another shard", () => {
  const made = new MemoryCluster({ shardCount: 3, memberCount: 1 });
  made.start();
  const { core } = made.node("s0m0");
  const answered: string[] = [];
  const first = core.sequence();
  const note = (name: string) => () => answered.push(name);
  first.execute(setOf(made.keyOf(1), LARGE), DEFAULT_OPTIONS, note("large"));
  first.execute(getOf(made.keyOf(1)), DEFAULT_OPTIONS, note("behind it"));
  first.execute(getOf(made.keyOf(2)), DEFAULT_OPTIONS, note("other shard"));
  core.sequence().execute(getOf(made.keyOf(1)), DEFAULT_OPTIONS, note("other connection"));
  made.timers.advance(500);
  assert.deepEqual(answered, ["other shard", "other connection", "large", "behind it"]);
});

test("requests of one connection stream to the leader without waiting for each other", () => {
  const made = cluster();
  made.node("s1m0").member.answerMs = 10;
  const requests = made.node("s0m0").core.sequence();
  const replies: Reply[] = [];
  for (let i = 0; i < 50; i++) {
    requests.execute(setOf(made.keyOf(1), `${i}`), DEFAULT_OPTIONS, (reply) => replies.push(reply));
  }
  made.timers.advance(15);
  assert.equal(replies.length, 50);
});

test("a pipelined read sees the write before it, across a change of leader", () => {
  const made = cluster();
  const requests = made.node("s0m0").core.sequence();
  made.shard(1).lead("s1m1");
  const replies: Reply[] = [];
  const key = made.keyOf(1);
  for (let i = 0; i < 20; i++) {
    requests.execute(setOf(key, `${i}`), DEFAULT_OPTIONS, (reply) => assert.equal(codeOf(reply), "ok"));
    requests.execute(getOf(key), DEFAULT_OPTIONS, (reply) => replies.push(reply));
  }
  made.timers.advance(3000);
  assert.deepEqual(
    replies.map(valueOf),
    Array.from({ length: 20 }, (_, i) => `${i}`),
  );
});

test("a refused request is not executed after a later one that was", () => {
  const made = cluster(1);
  const { member } = made.node("s1m0");
  const requests = made.node("s0m0").core.sequence();
  const codes: string[] = [];
  member.isReady = false;
  requests.execute(setOf(made.keyOf(1), "first"), DEFAULT_OPTIONS, (reply) => codes.push(`first ${codeOf(reply)}`));
  made.timers.advance(0.5);
  requests.execute(setOf(made.keyOf(1), "second"), DEFAULT_OPTIONS, (reply) => codes.push(`second ${codeOf(reply)}`));
  made.timers.advance(0.7);
  member.isReady = true;
  made.timers.advance(3000);
  assert.deepEqual(codes.sort(), ["first NOT_READY", "second ok"]);
  assert.deepEqual(valuesSet(made.shard(1)), ["second"]);
});

test("a busy connection moves to a leader of a higher epoch although the deposed one still answers", () => {
  const made = cluster();
  const { member } = made.node("s1m0");
  member.answerMs = 5;
  const requests = made.node("s0m0").core.sequence();
  const send = (count: number): void => {
    for (let i = 0; i < count; i++) {
      requests.execute(getOf(made.keyOf(1)), DEFAULT_OPTIONS, (reply) => assert.equal(codeOf(reply), "ok"));
      made.timers.advance(1);
    }
  };
  send(20);
  member.belief = member.knownLeader();
  made.shard(1).lead("s1m1");
  made.node("s0m0").core.directory.learn("shard1", made.node("s1m1").member.knownLeader());
  send(30);
  made.network.arrived.length = 0;
  send(20);
  assert.ok(made.network.arrived.every(({ to }) => to === "s1m1"));
});

test("requests held back behind one that cannot be answered are refused with it, without growth", () => {
  const made = cluster();
  made.network.detach("s1m0");
  made.network.detach("s1m1");
  const requests = made.node("s0m0").core.sequence();
  const codes: string[] = [];
  for (let i = 0; i < 3000; i++) {
    requests.execute(setOf(made.keyOf(1), "1"), DEFAULT_OPTIONS, (reply) => codes.push(codeOf(reply)));
  }
  made.timers.advance(5500);
  assert.equal(codes.length, 3000);
  assert.ok(codes.every((code) => code === "UNREACHABLE"));
});

/** One run: three connections pipeline sets and gets through random nodes while leaders change and roads break. */
class Chaos {
  readonly made = new MemoryCluster({ shardCount: 2, memberCount: 3 });
  readonly random: SeededRandom;
  readonly replies = new Map<string, Reply>();
  readonly writes = new Set<string>();

  constructor(seed: number) {
    this.random = new SeededRandom(seed);
    this.made.start();
  }

  run(): void {
    const { made, random } = this;
    const names = made.topology.nodes.map(({ node }) => node);
    const pick = <Item>(items: readonly Item[]): Item => items[random.below(items.length)] as Item;
    const connections = [0, 1, 2].map(() => made.node(pick(names)).core.sequence());
    for (let step = 0; step < 120; step++) {
      connections.forEach((connection, number) => this.#submit(connection, `c${number}-${step}`));
      this.#disturb(names, pick);
      made.node(pick(names)).member.answerMs = random.below(4);
      made.timers.advance(random.below(3) === 0 ? random.below(60) : 0.5);
    }
    made.timers.advance(20_000);
  }

  #disturb(names: readonly string[], pick: <Item>(items: readonly Item[]) => Item): void {
    const { made, random } = this;
    const dice = random.below(30);
    if (dice === 0) {
      const index = random.below(2);
      made.shard(index).lead(pick([...names.filter((name) => name.startsWith(`s${index}`)), null]));
    } else if (dice === 1) {
      made.network.setFault(pick(names), pick(names), pick(["refused", "lost", "answer lost", "silent"] as const));
    } else if (dice === 2) {
      made.node(pick(names)).member.isReady = false;
    } else if (dice === 3) {
      for (const name of names) made.node(name).member.isReady = true;
    } else if (dice === 4) {
      for (const from of names) for (const to of names) made.network.setFault(from, to, null);
    }
  }

  /** Each operation has a key of its own, so that the log of what was executed tells it apart. */
  #submit(connection: RequestSequence, name: string): void {
    const isWrite = this.random.below(3) > 0;
    const value = this.random.below(6) === 0 ? LARGE : name;
    const operation: KeyOperation = isWrite ? setOf(keyOfText(name), value) : getOf(keyOfText(name));
    if (isWrite) this.writes.add(name);
    connection.execute(operation, DEFAULT_OPTIONS, (reply) => {
      assert.ok(!this.replies.has(name), `${name} is answered once`);
      this.replies.set(name, reply);
    });
  }
}

test("whatever leaders and roads do, each connection's requests are executed in order and answered honestly", () => {
  const seen = new Map<string, number>();
  for (let seed = 1; seed <= 60; seed++) {
    const chaos = new Chaos(seed);
    chaos.run();
    assert.equal(chaos.replies.size, 360, `seed ${seed}: every request is answered`);
    for (const shard of chaos.made.shards) checkOrder(shard, chaos.replies, seed);
    const executed = new Map<string, number>();
    for (const shard of chaos.made.shards) {
      for (const operation of shard.executed) {
        if ("key" in operation) executed.set(operation.key, (executed.get(operation.key) ?? 0) + 1);
      }
    }
    for (const [name, reply] of chaos.replies) {
      const times = executed.get(name) ?? 0;
      const code = codeOf(reply);
      seen.set(code, (seen.get(code) ?? 0) + 1);
      if (reply.ok) assert.ok(times >= 1, `seed ${seed}: ${name} was answered ok, but never executed`);
      if (!chaos.writes.has(name)) {
        assert.notEqual(code, "UNKNOWN_OUTCOME", `seed ${seed}: a read is never unknown`);
        continue;
      }
      assert.ok(times <= 1, `seed ${seed}: the write ${name} was executed ${times} times`);
      const isRefused = !reply.ok && reply.error.outcome === "not_applied";
      assert.ok(!isRefused || times === 0, `seed ${seed}: ${name} was refused, but took effect`);
    }
  }
  for (const code of ["ok", "UNKNOWN_OUTCOME", "NOT_LEADER"]) assert.ok((seen.get(code) ?? 0) > 20, `${code} occurred`);
});

/**
 * What was answered ok was executed in the order it was sent. (What was answered as unknown may take effect at any time; of
 * a read that was executed twice nobody can tell which answer counted.)
 */
function checkOrder(shard: MemoryShard, replies: ReadonlyMap<string, Reply>, seed: number): void {
  const names = shard.executed.flatMap((operation) => ("key" in operation ? [operation.key as string] : []));
  const last = new Map<string, number>();
  for (const name of names) {
    if (replies.get(name)?.ok !== true || names.indexOf(name) !== names.lastIndexOf(name)) continue;
    const [connection = "", step] = name.split("-");
    const previous = last.get(connection) ?? -1;
    assert.ok(Number(step) > previous, `seed ${seed}: ${name} was executed after ${connection}-${previous}`);
    last.set(connection, Number(step));
  }
}
