import assert from "node:assert/strict";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import fc from "fast-check";
import { KvError } from "../model/errors.ts";
import { type ClusterConfig, loadConfig, parseConfig } from "./config.ts";

const SMALL_SYSTEM = `
[[shards]]
name = "Hyderabad"
idx = 0
address = "127.0.0.2:8080"
replicas = ["127.0.0.22:8080"]

[[shards]]
name = "Bangalore"
idx = 1
address = "127.0.0.3:8080"
replicas = ["127.0.0.33:8080"]
`;

const folder = mkdtempSync(join(tmpdir(), "kv-config-"));
after(() => rmSync(folder, { recursive: true }));

/** The lines of the refusal of `text`; fails when it is accepted. */
function faultsOf(text: string): string[] {
  try {
    parseConfig(text, "sharding.toml");
  } catch (error) {
    assert(error instanceof KvError, String(error));
    assert.equal(error.code, "CONFIG_INVALID");
    return error.message.split("\n");
  }
  assert.fail("the file was accepted");
}

function withCluster(lines: string): string {
  return `[cluster]\n${lines}\n${SMALL_SYSTEM}`;
}

test("the small system's file works unchanged and gets the defaults", () => {
  const config = parseConfig(SMALL_SYSTEM, "sharding.toml");
  assert.equal(config.coordinator, "static");
  assert.equal(config.replication, "async");
  assert.equal(config.minInSync, 1);
  assert.equal(config.logRetainBytes, 256 * 1_048_576);
  assert.equal(config.logRetainBytesMax, 1024 * 1_048_576);
  assert.equal(config.topology.cluster, "default");
  assert.deepEqual(config.topology.shards[1], {
    name: "Bangalore",
    index: 1,
    members: [
      { node: "127.0.0.3:8080", peer: "127.0.0.3:9080", resp: "127.0.0.3:10080" },
      { node: "127.0.0.33:8080", peer: "127.0.0.33:9080", resp: "127.0.0.33:10080" },
    ],
  });
  assert.deepEqual(config.topology.slotMap.modulo, ["Hyderabad", "Bangalore"]);
});

test("defaults do not depend on whether [cluster] is there", () => {
  const omitPath = ({ path: _path, ...rest }: ClusterConfig): unknown => rest;
  assert.deepEqual(omitPath(parseConfig(withCluster(""), "a")), omitPath(parseConfig(SMALL_SYSTEM, "b")));
});

test("the file that is shipped names four shards of two and fixed RESP ports", () => {
  const config = loadConfig(join(import.meta.dirname, "../../sharding.toml"));
  assert.equal(config.topology.cluster, "india");
  const nodes = config.topology.shards.map(({ name, members }) => [name, ...members.map((member) => member.node)]);
  assert.deepEqual(nodes, [
    ["Hyderabad", "127.0.0.2:8080", "127.0.0.22:8080"],
    ["Bangalore", "127.0.0.3:8080", "127.0.0.33:8080"],
    ["Mumbai", "127.0.0.4:8080", "127.0.0.44:8080"],
    ["Delhi", "127.0.0.5:8080", "127.0.0.55:8080"],
  ]);
  assert(config.topology.nodes.every(({ resp }) => resp.endsWith(":6379")));
});

test("all keys of [cluster] are taken", () => {
  const keys = `name = "a-1_B"\nreplication = "in-sync"\nmin_in_sync = 2\npeer_port = 7070\nresp_port = 6379
    log_retain_mb = 2048`;
  const config = parseConfig(withCluster(keys), "sharding.toml");
  assert.equal(config.topology.cluster, "a-1_B");
  assert.equal(config.replication, "in-sync");
  assert.equal(config.minInSync, 2);
  assert.equal(config.logRetainBytes, 2048 * 1_048_576);
  assert.equal(config.logRetainBytesMax, config.logRetainBytes, "the default maximum is not below what was asked for");
  assert.equal(config.topology.nodes[0]?.peer, "127.0.0.2:7070");
});

test("shards are ordered by index, not by their place in the file", () => {
  const swapped = SMALL_SYSTEM.replace("idx = 0", "idx = 9")
    .replace("idx = 1", "idx = 0")
    .replace("idx = 9", "idx = 1");
  const config = parseConfig(swapped, "sharding.toml");
  assert.deepEqual(config.topology.slotMap.modulo, ["Bangalore", "Hyderabad"]);
});

test("the configuration cannot be changed", () => {
  const config = parseConfig(SMALL_SYSTEM, "sharding.toml");
  assert(Object.isFrozen(config) && Object.isFrozen(config.topology.shards[0]?.members));
});

test("IPv6 addresses and host names are nodes too, in lower case", () => {
  const text = SMALL_SYSTEM.replace("127.0.0.2:8080", "[FD00::2]:8080").replace(
    "127.0.0.22:8080",
    "Db-2.Example.org:80",
  );
  const [shard] = parseConfig(text, "sharding.toml").topology.shards;
  assert.deepEqual(shard?.members, [
    { node: "[fd00::2]:8080", peer: "[fd00::2]:9080", resp: "[fd00::2]:10080" },
    { node: "db-2.example.org:80", peer: "db-2.example.org:1080", resp: "db-2.example.org:2080" },
  ]);
});

/** Each row: what is wrong, the file, and its one refusal. Line numbers count from the file's first line. */
const REFUSALS: readonly (readonly [string, string, string])[] = [
  ["no shard", "", "sharding.toml: shards has no shard: write at least one [[shards]]"],
  ["an empty list of shards", "shards = []", "sharding.toml:1: shards has no shard: write at least one [[shards]]"],
  ["shards of another type", "shards = 4", "sharding.toml:1: shards = 4 must be tables: write [[shards]]"],
  [
    "a doubled name",
    SMALL_SYSTEM.replace("Bangalore", "Hyderabad"),
    'sharding.toml:9: shards[1].name = "Hyderabad" is the name of two shards',
  ],
  [
    "a doubled index",
    SMALL_SYSTEM.replace("idx = 1", "idx = 0"),
    "sharding.toml:10: shards[1].idx = 0 is also the index of shard Hyderabad",
  ],
  [
    "a missing index in 0..n-1",
    SMALL_SYSTEM.replace("idx = 1", "idx = 2"),
    "sharding.toml:10: shards[1].idx = 2 leaves out index 1: 2 shards have the indexes 0 to 1",
  ],
  [
    "a doubled address",
    SMALL_SYSTEM.replace("127.0.0.33", "127.0.0.2"),
    'sharding.toml:12: shards[1].replicas = "127.0.0.2:8080" is an address given twice: shards[0].address has it too',
  ],
  ["a missing name", SMALL_SYSTEM.replace('name = "Bangalore"', ""), "sharding.toml:8: shards[1].name is missing"],
  ["a missing index", SMALL_SYSTEM.replace("idx = 1", ""), "sharding.toml:8: shards[1].idx is missing"],
  [
    "a missing address",
    SMALL_SYSTEM.replace('address = "127.0.0.3:8080"', ""),
    "sharding.toml:8: shards[1].address is missing",
  ],
  [
    "an unknown key of a shard",
    SMALL_SYSTEM.replace("replicas = [", "replica = ["),
    'sharding.toml:6: shards[0].replica = ["127.0.0.22:8080"] is not a known key; known here: name, idx, address, replicas',
  ],
  [
    "an unknown key of the cluster",
    withCluster("replicaton = 1"),
    "sharding.toml:2: cluster.replicaton = 1 is not a known key; known here: " +
      "name, coordinator, replication, min_in_sync, peer_port, resp_port, log_retain_mb, log_retain_max_mb",
  ],
  [
    "an unknown table",
    `[clusters]\nname = "x"\n${SMALL_SYSTEM}`,
    'sharding.toml:1: clusters = {"name":"x"} is not a known key; known here: cluster, coordinator, shards',
  ],
  ["a name of the wrong type", withCluster("name = 5"), "sharding.toml:2: cluster.name = 5 must be a string"],
  [
    "a name that could be a path",
    withCluster('name = "../x"'),
    'sharding.toml:2: cluster.name = "../x" must be 1 to 64 letters, digits, - or _',
  ],
  [
    "a shard's name that could be a path",
    SMALL_SYSTEM.replace('"Bangalore"', '"a/b"'),
    'sharding.toml:9: shards[1].name = "a/b" must be 1 to 64 letters, digits, - or _',
  ],
  [
    "an index that is a float",
    SMALL_SYSTEM.replace("idx = 1", "idx = 1.0"),
    "sharding.toml:10: shards[1].idx = 1 must be an integer from 0 to 55439",
  ],
  [
    "an index that is text",
    SMALL_SYSTEM.replace("idx = 1", 'idx = "1"'),
    'sharding.toml:10: shards[1].idx = "1" must be an integer from 0 to 55439',
  ],
  [
    "a negative index",
    SMALL_SYSTEM.replace("idx = 1", "idx = -1"),
    "sharding.toml:10: shards[1].idx = -1 must be an integer from 0 to 55439",
  ],
  [
    "a replica that is no list",
    SMALL_SYSTEM.replace('["127.0.0.33:8080"]', '"127.0.0.33:8080"'),
    'sharding.toml:12: shards[1].replicas = "127.0.0.33:8080" must be an array of strings',
  ],
  [
    "an address of the wrong type",
    SMALL_SYSTEM.replace('"127.0.0.3:8080"', "8080"),
    "sharding.toml:11: shards[1].address = 8080 must be a string",
  ],
  [
    "a port out of range",
    withCluster("peer_port = 65536"),
    "sharding.toml:2: cluster.peer_port = 65536 must be an integer from 1 to 65535",
  ],
  [
    "a number beyond every integer",
    withCluster("min_in_sync = 9223372036854775807"),
    "sharding.toml:2: cluster.min_in_sync = 9223372036854775807 must be an integer from 1 to 64",
  ],
  [
    "more copies than members",
    withCluster("min_in_sync = 3").replace(
      'replicas = ["127.0.0.33:8080"]',
      'replicas = ["127.0.0.33:8080", "127.0.0.34:8080"]',
    ),
    "sharding.toml:2: cluster.min_in_sync = 3 is more than the 2 members of shard Hyderabad: it could never take a write",
  ],
  [
    "a maximum below what is kept",
    withCluster("log_retain_mb = 512\nlog_retain_max_mb = 511"),
    "sharding.toml:3: cluster.log_retain_max_mb = 511 is less than log_retain_mb, which is 512",
  ],
  [
    "an unknown kind of replication",
    withCluster('replication = "sync"'),
    'sharding.toml:2: cluster.replication = "sync" must be "async" or "in-sync"',
  ],
  [
    "an unknown coordinator",
    withCluster('coordinator = "zookeeper"'),
    'sharding.toml:2: cluster.coordinator = "zookeeper" must be "static" or "embedded" or "etcd"',
  ],
  [
    "a coordinator's key in static mode",
    `${SMALL_SYSTEM}\n[coordinator]\nlease_ms = 1500\n`,
    'sharding.toml:15: coordinator.lease_ms = 1500 is for cluster.coordinator = "embedded" and "etcd": ' +
      'with "static" this file alone decides',
  ],
  [
    "a coordinator's empty table in static mode",
    `${SMALL_SYSTEM}\n[coordinator]\n`,
    'sharding.toml:14: coordinator is for cluster.coordinator = "embedded" and "etcd": with "static" this file alone decides',
  ],
  [
    "a coordinator outside [cluster]",
    `coordinator = "static"\n${SMALL_SYSTEM}`,
    'sharding.toml:1: coordinator = "static" must be a table: write [coordinator]',
  ],
  [
    "a cluster that is no table",
    `cluster = "india"\n${SMALL_SYSTEM}`,
    'sharding.toml:1: cluster = "india" must be a table: write [cluster]',
  ],
  [
    "an address without a port",
    SMALL_SYSTEM.replace("127.0.0.33:8080", "127.0.0.33"),
    'sharding.toml:12: shards[1].replicas = "127.0.0.33" must be host:port, as in 127.0.0.2:8080',
  ],
  [
    "an address without a host",
    SMALL_SYSTEM.replace("127.0.0.33:8080", ":8080"),
    'sharding.toml:12: shards[1].replicas = ":8080" has no host: other nodes could not reach it',
  ],
  [
    "an address of all interfaces",
    SMALL_SYSTEM.replace("127.0.0.33:8080", "0.0.0.0:8080"),
    'sharding.toml:12: shards[1].replicas = "0.0.0.0:8080" stands for all addresses of a machine: name the one at which others reach it, as in 10.0.0.5:8080',
  ],
  [
    "an address that is none",
    SMALL_SYSTEM.replace("127.0.0.33:8080", "127.0.0.333:8080"),
    'sharding.toml:12: shards[1].replicas = "127.0.0.333:8080" has host "127.0.0.333", which is neither an address nor a host name',
  ],
  [
    "port 0",
    SMALL_SYSTEM.replace("127.0.0.33:8080", "127.0.0.33:0"),
    'sharding.toml:12: shards[1].replicas = "127.0.0.33:0" has port 0, which is not from 1 to 65535',
  ],
  [
    "a derived port above the last",
    SMALL_SYSTEM.replace("127.0.0.33:8080", "127.0.0.33:63600"),
    'sharding.toml:12: shards[1].replicas = "127.0.0.33:63600" would have the resp port 65600, above 65535: ' +
      "set resp_port in [cluster] or use a lower port",
  ],
  ["no TOML", "[cluster\nname = 1", "sharding.toml:1: not valid TOML: illegal character in key"],
  [
    "a key given twice",
    withCluster('name = "a"\nname = "b"'),
    "sharding.toml:3: not valid TOML: trying to redefine an already defined table or value",
  ],
];

for (const [what, text, expected] of REFUSALS) {
  test(`${what} is refused with file, line, key and value`, () => assert.deepEqual(faultsOf(text), [expected]));
}

test("several faults are all named, each on a line of its own", () => {
  const text = withCluster("min_in_sync = 0\nextra = 1").replace("idx = 1", "idx = 0");
  assert.deepEqual(
    faultsOf(text).map((line) => line.split(" ")[0]),
    ["sharding.toml:2:", "sharding.toml:3:", "sharding.toml:13:"],
  );
});

test("values in messages are short and free of control characters", () => {
  const [fault = ""] = faultsOf(withCluster(`name = "a\\u0007\\u001b[31m${"x".repeat(200)}"`));
  assert.match(fault, /cluster\.name = "a\\u0007\\u001b\[31mx+… must be/);
  assert(fault.length < 200);
});

test("a fixed peer port with two nodes on one host is a collision", () => {
  const text = withCluster("peer_port = 7070").replace("127.0.0.22:8080", "127.0.0.2:8081");
  assert.deepEqual(faultsOf(text), [
    'sharding.toml:8: shards[0].replicas = "127.0.0.2:8081" has the peer address 127.0.0.2:7070, which is also the peer ' +
      "address of 127.0.0.2:8080: leave out peer_port, so that each node uses its HTTP port + 1000",
  ]);
});

test("a fixed RESP port with two nodes on one host is a collision, also under the host's other name", () => {
  const text = withCluster("resp_port = 6379")
    .replace("127.0.0.22:8080", "127.0.0.1:8081")
    .replace("127.0.0.2:8080", "localhost:8080");
  assert.match(
    faultsOf(text).join(),
    /has the RESP address 127\.0\.0\.1:6379, which is also the RESP address of localhost:8080/,
  );
});

test("a derived port that meets another node's port is a collision, in either order", () => {
  for (const [first, second] of [
    ["8080", "9080"],
    ["9080", "8080"],
    ["8080", "10080"],
    ["7000", "8000"],
  ]) {
    const text = SMALL_SYSTEM.replace("127.0.0.2:8080", `127.0.0.2:${first}`).replace(
      "127.0.0.22:8080",
      `127.0.0.2:${second}`,
    );
    assert.match(faultsOf(text)[0] ?? "", /has the (HTTP|peer|RESP) address .*, which is also the .* of 127\.0\.0\.2:/);
  }
});

test("one node whose own ports meet is a collision", () => {
  assert.match(faultsOf(withCluster("peer_port = 8080")).join(), /is also the HTTP address of this node/);
  assert.match(
    faultsOf(withCluster("peer_port = 7000\nresp_port = 7000")).join(),
    /is also the peer address of this node/,
  );
});

test("the loaded file must exist, be a file, be UTF-8 and be small", () => {
  const path = join(folder, "sharding.toml");
  const refusal = (): string => {
    try {
      loadConfig(path);
    } catch (error) {
      assert(error instanceof KvError && error.code === "CONFIG_INVALID", String(error));
      return error.message.replace(path, "FILE");
    }
    return "accepted";
  };
  assert.equal(refusal(), "FILE: there is no such file; name another with --config-file");
  writeFileSync(path, Buffer.concat([Buffer.from(SMALL_SYSTEM), Buffer.from([0x23, 0xff, 0xfe, 0x0a])]));
  assert.equal(refusal(), "FILE:13: the file is not UTF-8");
  writeFileSync(path, "#".repeat(1_048_577));
  assert.equal(refusal(), "FILE: the file has 1048577 bytes, more than 1048576");
  writeFileSync(path, SMALL_SYSTEM);
  assert.equal(refusal(), "accepted");
  assert.throws(() => loadConfig(folder), { message: `${folder}: it is a directory, not a file` });
});

test("names like those of every object's own properties are unknown keys, not a way in", () => {
  for (const key of ["__proto__", "constructor", "toString"]) {
    assert.match(faultsOf(withCluster(`${key} = 1`)).join(), new RegExp(`cluster\\.${key} = 1 is not a known key`));
  }
  assert.equal(Object.hasOwn(Object.prototype, "polluted"), false);
});

test("any damage to a valid file either leaves it valid or is refused as a fault of the file", () => {
  const valid = withCluster('name = "india"\npeer_port = 7070');
  fc.assert(
    fc.property(
      fc.nat(valid.length),
      fc.nat(8),
      fc.string({ unit: "binary", maxLength: 8 }),
      (at, length, inserted) => {
        const damaged = valid.slice(0, at) + inserted + valid.slice(at + length);
        try {
          parseConfig(damaged, "sharding.toml");
        } catch (error) {
          assert(error instanceof KvError && error.code === "CONFIG_INVALID", String(error));
        }
      },
    ),
    { numRuns: 500 },
  );
});
