import assert from "node:assert/strict";
import { test } from "node:test";
import { KvError } from "../model/errors.ts";
import { parseConfig } from "./config.ts";
import { findOwnNode, type OwnNodeOptions } from "./own-node.ts";

const config = parseConfig(
  `
  [[shards]]
  name = "Solo"
  idx = 0
  address = "127.0.0.2:8080"

  [[shards]]
  name = "Pair"
  idx = 1
  address = "127.0.0.3:8080"
  replicas = ["127.0.0.33:8080"]

  [[shards]]
  name = "Three"
  idx = 2
  address = "127.0.0.4:8080"
  replicas = ["127.0.0.44:8080", "127.0.0.45:8080"]
`,
  "sharding.toml",
);

function ownNode(options: Partial<OwnNodeOptions>): string {
  const defaults = { shard: "Pair", isReplica: false, httpAddress: undefined };
  try {
    return findOwnNode(config, { ...defaults, ...options }).addresses.node;
  } catch (error) {
    assert(error instanceof KvError && error.code === "CONFIG_INVALID", String(error));
    return error.message;
  }
}

test("without an address a node is its shard's leader", () => {
  assert.equal(ownNode({}), "127.0.0.3:8080");
  assert.equal(ownNode({ shard: "Solo" }), "127.0.0.2:8080");
});

test("with --replica a node is its shard's only replica", () => {
  assert.equal(ownNode({ isReplica: true }), "127.0.0.33:8080");
});

test("an address names any member, with or without --replica", () => {
  assert.equal(ownNode({ shard: "Three", httpAddress: "127.0.0.45:8080", isReplica: true }), "127.0.0.45:8080");
  assert.equal(ownNode({ shard: "Three", httpAddress: "127.0.0.44:8080" }), "127.0.0.44:8080");
  assert.equal(ownNode({ shard: "Three", httpAddress: "127.0.0.4:8080" }), "127.0.0.4:8080");
});

test("an unknown shard is refused and the known ones are named", () => {
  assert.equal(
    ownNode({ shard: "pair" }),
    "sharding.toml: --shard pair is not in the file, which has Solo, Pair, Three",
  );
});

test("--replica is refused where it names no node or several", () => {
  assert.equal(
    ownNode({ shard: "Solo", isReplica: true }),
    "sharding.toml: --replica: shard Solo has no replica in the file",
  );
  assert.equal(
    ownNode({ shard: "Three", isReplica: true }),
    "sharding.toml: --replica: shard Three has several, say which with --http-addr: 127.0.0.44:8080, 127.0.0.45:8080",
  );
});

test("an own address that is not in the file, or another shard's, is refused", () => {
  assert.equal(
    ownNode({ httpAddress: "127.0.0.9:8080" }),
    "sharding.toml: --http-addr 127.0.0.9:8080 is not an address of shard Pair, which has 127.0.0.3:8080, 127.0.0.33:8080",
  );
  assert.match(ownNode({ httpAddress: "127.0.0.4:8080" }), /; it is in shard Three$/);
  assert.match(ownNode({ httpAddress: "nonsense" }), /--http-addr nonsense must be host:port/);
});

test("--replica with the leader's address is refused", () => {
  assert.match(
    ownNode({ httpAddress: "127.0.0.3:8080", isReplica: true }),
    /is the leader's address .*: leave out --replica/,
  );
});
