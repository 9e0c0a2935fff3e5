import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { keyOfText } from "./key.ts";
import { slotOfKey, type Slot } from "./slot.ts";
import { freshSlotMap, Topology, type NodeAddresses, type Shard, type SlotMap } from "./topology.ts";

describe("the topology", () => {
  test("of a fresh cluster gives slot s to shard s % N, by index, whatever the order in the file", () => {
    const shards = [shard("Delhi", 2), shard("Hyderabad", 0), shard("Bengaluru", 3), shard("Mumbai", 1)];
    const topology = topologyOf(shards);
    assert.deepEqual(freshSlotMap(shards), {
      version: 1,
      modulo: ["Hyderabad", "Mumbai", "Delhi", "Bengaluru"],
      moved: new Map(),
    });
    for (const slot of [0, 1, 2, 3, 4, 55_439]) assert.equal(topology.shardOfSlot(slot as Slot).index, slot % 4);
    assert.deepEqual(
      topology.shards.map(({ name }) => name),
      ["Hyderabad", "Mumbai", "Delhi", "Bengaluru"],
    );
  });

  test("gives a slot that was moved to its new shard, and only that one", () => {
    const shards = [shard("Delhi", 0), shard("Mumbai", 1)];
    const key = keyOfText("user:123");
    const slot = slotOfKey(key);
    const fresh = topologyOf(shards);
    const from = fresh.shardOfKey(key).name;
    const to = from === "Delhi" ? "Mumbai" : "Delhi";
    const moved = topologyOf(shards, { ...freshSlotMap(shards), version: 2, moved: new Map([[slot, to]]) });
    assert.equal(moved.shardOfKey(key).name, to);
    assert.equal(fresh.shardOfKey(key).name, from);
    for (const other of [0, 1, 2, 3, slot - 2, slot + 2].filter((one) => one !== slot) as Slot[]) {
      assert.equal(moved.shardOfSlot(other).name, fresh.shardOfSlot(other).name);
    }
  });

  test("a shard added without slots gets only what is moved to it", () => {
    const shards = [shard("Delhi", 0), shard("Mumbai", 1), shard("Chennai", 2)];
    const moved = new Map([[7 as Slot, "Chennai"]]);
    const topology = topologyOf(shards, { version: 3, modulo: ["Delhi", "Mumbai"], moved });
    assert.equal(topology.shardOfSlot(7 as Slot).name, "Chennai");
    assert.equal(topology.shardOfSlot(9 as Slot).name, "Mumbai");
    assert.equal(topology.shardOfSlot(8 as Slot).name, "Delhi");
  });

  test("finds shards and addresses by name, and says nothing of strangers", () => {
    const topology = topologyOf([shard("Delhi", 0, ["d1", "d2"]), shard("Mumbai", 1, ["m1"])]);
    assert.equal(topology.shardByName("Mumbai")?.index, 1);
    assert.equal(topology.shardOfNode("d2")?.name, "Delhi");
    assert.deepEqual(topology.addressesOf("m1"), { node: "m1", peer: "m1-peer", resp: "m1-resp" });
    assert.deepEqual(
      topology.nodes.map(({ node }) => node),
      ["d1", "d2", "m1"],
    );
    for (const name of ["Chennai", "__proto__", "constructor", ""]) {
      assert.equal(topology.shardByName(name), undefined);
      assert.equal(topology.shardOfNode(name), undefined);
      assert.equal(topology.addressesOf(name), undefined);
    }
  });

  test("refuses a slot whose shard is not there instead of guessing one", () => {
    const shards = [shard("Delhi", 0)];
    const topology = topologyOf(shards, { version: 2, modulo: ["Delhi"], moved: new Map([[4 as Slot, "Chennai"]]) });
    assert.throws(() => topology.shardOfSlot(4 as Slot), RangeError);
  });
});

function shard(name: string, index: number, nodes: readonly string[] = []): Shard {
  const members = nodes.map((node): NodeAddresses => ({ node, peer: `${node}-peer`, resp: `${node}-resp` }));
  return { name, index, members };
}

function topologyOf(shards: readonly Shard[], slotMap: SlotMap = freshSlotMap(shards)): Topology {
  return new Topology({ cluster: "india", shards, slotMap });
}
