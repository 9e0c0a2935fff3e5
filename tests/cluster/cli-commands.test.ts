import assert from "node:assert/strict";
import { appendFileSync, readFileSync, truncateSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { setTimeout } from "node:timers/promises";
import { TestCluster } from "./support/cluster.ts";
import { eventually } from "./support/copies.ts";
import { type ProgramOptions, type ProgramResult, runKv } from "./support/program.ts";

/** Keys and values that text tools spoil. */
const AWKWARD_ROWS: ReadonlyArray<readonly [Buffer, Buffer]> = [
  [Buffer.from([0x00]), Buffer.from([0x00, 0xff, 0xfe])],
  [Buffer.from([0xff, 0xfe, 0x0a]), Buffer.alloc(0)],
  [Buffer.from("line\nbreak\u2028and\u2029more"), Buffer.from("a\u2028b\u2029c\n")],
  [Buffer.from("../%2F?#&=+ 🌏"), Buffer.from("🌏")],
  [Buffer.from("__proto__"), Buffer.from("constructor")],
  [Buffer.alloc(1024, 0xee), Buffer.from("the longest key")],
  [Buffer.from("large"), Buffer.alloc(300_000, 0xab)],
];

describe("the client commands", () => {
  let cluster: TestCluster;

  before(async () => {
    cluster = await TestCluster.create({ shardCount: 2, replicaCount: 1 });
    await cluster.startAll();
  });
  after(async () => cluster.dispose());

  const kv = async (words: readonly string[], options: ProgramOptions = {}): Promise<ProgramResult> =>
    runKv([...words, "--config-file", cluster.configFile], options);
  const inDirectory = (name: string): string => join(cluster.directory, name);

  test("what is set is read back from a node that does not own it, deleted, and then missing with exit code 1", async () => {
    const stranger = cluster.strangerTo("user:1").name;
    const set = await kv(["set", "user:1", "Asha"]);
    assert.deepEqual([set.exitCode, set.stderr], [0, ""]);
    assert.match(set.stdout, /^created in \w+, version \d+\n$/);
    assert.match((await kv(["set", "user:1", "Asha"])).stdout, /^replaced /);
    const got = await kv(["get", "user:1", "--node", stranger]);
    assert.deepEqual([got.exitCode, got.stdout], [0, "Asha"]);
    assert.deepEqual((await kv(["del", "user:1"])).exitCode, 0);
    const gone = await kv(["get", "user:1"]);
    assert.deepEqual([gone.exitCode, gone.stdout, gone.stderr], [1, "", 'kv: there is no key "user:1"\n']);
    assert.equal((await kv(["del", "user:1"])).exitCode, 1);
  });

  test("bytes that are no text go in from standard input and come out as they went in", async () => {
    for (const [key, value] of AWKWARD_ROWS) {
      const name = key.toString("base64");
      assert.equal((await kv(["set", name, "--base64"], { input: value })).exitCode, 0);
      const got = await kv(["get", name, "--base64"]);
      assert.ok(got.stdoutBytes.equals(value), `the value of ${name}`);
    }
  });

  test("conditions decide: --if-absent and --if-version refuse with exit code 1 and leave the value", async () => {
    const { version } = JSON.parse((await kv(["set", "guarded", "first", "--json"])).stdout) as { version: number };
    const refused = await kv(["set", "guarded", "second", "--if-absent"]);
    assert.equal(refused.exitCode, 1);
    assert.match(refused.stderr, /The key is at version \d+/);
    assert.equal((await kv(["set", "guarded", "second", "--if-version", String(version + 1)])).exitCode, 1);
    assert.equal((await kv(["get", "guarded"])).stdout, "first");
    assert.equal((await kv(["set", "guarded", "third", "--if-version", String(version)])).exitCode, 0);
    assert.equal((await kv(["get", "guarded"])).stdout, "third");
  });

  test("an export imported again after everything was deleted brings back every byte, type and expiry", async () => {
    const file = inDirectory("all.ndjson");
    await kv(["set", "typed", "{}", "--content-type", "application/json", "--ttl", "3600"]);
    const rows = Array.from({ length: 2500 }, (_, i) => JSON.stringify({ key: `row:${i}`, value: `value ${i}` }));
    const loaded = await kv(["import", "-"], { input: rows.join("\n") });
    assert.deepEqual([loaded.exitCode, loaded.stdout], [0, "2,500 rows stored, 0 not stored, 0 unknown\n"]);
    const exported = await kv(["export", file]);
    assert.equal(exported.exitCode, 0, exported.stderr);
    const earlier = await scanAll(cluster);
    assert.ok(earlier.size > 2500 + AWKWARD_ROWS.length);
    await deleteAll(cluster);
    assert.equal((await scanAll(cluster)).size, 0);
    const imported = await kv(["import", file, "--durability", "in-sync", "--json"]);
    assert.deepEqual(JSON.parse(imported.stdout), { written: earlier.size, failed: 0, unknown: 0, failures: [] });
    const later = await scanAll(cluster);
    assert.deepEqual([...later.keys()].sort(), [...earlier.keys()].sort());
    for (const [key, row] of earlier) {
      const other = later.get(key);
      assert.deepEqual({ ...other, expires_at_ms: 0, version: 0 }, { ...row, expires_at_ms: 0, version: 0 });
      const expiryShiftMs = Math.abs((other?.expires_at_ms ?? 0) - (row.expires_at_ms ?? 0));
      assert.ok(expiryShiftMs < 5000, `the expiry of ${key} moved by ${expiryShiftMs} ms`);
    }
  });

  test("an export that was cut off in the middle of a row goes on behind its last whole row", async () => {
    const file = inDirectory("cut.ndjson");
    assert.equal((await kv(["export", file])).exitCode, 0);
    const whole = readFileSync(file);
    const again = await kv(["export", file]);
    assert.deepEqual([again.exitCode, again.stderr.includes("--resume")], [2, true]);
    for (const cutAt of [0, 1, Math.floor(whole.length / 3), whole.length - 1]) {
      truncateSync(file, 0);
      appendFileSync(file, whole.subarray(0, cutAt));
      const resumed = await kv(["export", file, "--resume"]);
      assert.equal(resumed.exitCode, 0, resumed.stderr);
      assert.ok(readFileSync(file).equals(whole), `cut at byte ${cutAt}`);
    }
  });

  test("an import counts the lines that are no rows, names them, stores the others and ends with exit code 1", async () => {
    const lines = [
      '{"key":"good:1","value":"1"}',
      "nonsense",
      '{"key":"","value":"1"}',
      '{"key":"k","valeu":"1"}',
      '{"key":"good:2","value":"2"}',
    ];
    const { exitCode, stdout, stderr } = await kv(["import", "-"], { input: `${lines.join("\n")}\n` });
    assert.equal(exitCode, 1);
    assert.equal(stdout, "2 rows stored, 3 not stored, 0 unknown\n");
    assert.match(stderr, /line 2 \(not stored\): is not JSON/);
    assert.match(stderr, /line 3 \(not stored\): has a key of 0 bytes/);
    assert.match(stderr, /line 4 \(not stored\): has the unknown member valeu/);
    assert.equal((await kv(["get", "good:2"])).stdout, "2");
  });

  test("the last of several rows with one key wins, however many requests are under way", async () => {
    const lines = Array.from({ length: 3000 }, (_, i) => JSON.stringify({ key: `again:${i % 3}`, value: String(i) }));
    writeFileSync(inDirectory("again.ndjson"), lines.join("\n"));
    const imported = await kv(["import", inDirectory("again.ndjson"), "--in-flight", "16"]);
    assert.equal(imported.exitCode, 0);
    for (const rest of [0, 1, 2]) assert.equal((await kv(["get", `again:${rest}`])).stdout, String(2997 + rest));
  });

  test("a scan prints rows of all shards in byte order, one line each, and stops at its limit", async () => {
    const scanned = await kv(["scan", "--prefix", "row:1", "--limit", "1500"]);
    const keys = scanned.stdout
      .trimEnd()
      .split("\n")
      .map((line) => line.split("\t")[0] ?? "");
    const expected = Array.from({ length: 2500 }, (_, i) => `row:${i}`).filter((key) => key.startsWith("row:1"));
    assert.deepEqual(keys, expected.sort());
    const limited = await kv(["scan", "--prefix", "row:", "--limit", "3", "--reverse", "--keys-only"]);
    assert.equal(limited.stdout, "row:999\nrow:998\nrow:997\n");
    const awkward = await kv(["scan", "--prefix", "line"]);
    assert.equal(awkward.stdout, "line\\nbreak\u2028and\u2029more\ta\u2028b\u2029c\\n\n");
  });

  test("explain names hash, slot, shard, leader and what each copy holds", async () => {
    await kv(["set", "user:123", "Asha", "--durability", "in-sync"]);
    // A replica shows the write when it has heard that it is committed, a little after the client.
    const stdout = await eventually("every copy shows the key", async () => {
      const explained = (await kv(["explain", "user:123"])).stdout;
      return explained.includes("does not have it") ? undefined : explained;
    });
    assert.match(stdout, /^hash +10702988777466904498 /m);
    assert.match(stdout, /^slot +23218 /m);
    // The hash is even, and there are two shards.
    const owner = cluster.config.topology.shards[0];
    assert.match(stdout, new RegExp(`^shard +${owner?.name}$`, "m"));
    for (const { node } of owner?.members ?? []) {
      assert.match(stdout, new RegExp(`^${node} +(leader|replica) +version \\d+`, "m"));
    }
  });

  test("status shows every node with its role, and a node that is gone as not answering", async () => {
    // Keys are counted in the trees, which take in what was written within about five seconds.
    let stdout = "";
    for (let tries = 0; tries < 40 && !/2,5\d\d keys in /.test(stdout); tries++) {
      if (tries > 0) await setTimeout(500);
      ({ stdout } = await kv(["status"]));
    }
    for (const { name, isReplica } of cluster.nodes) {
      assert.match(stdout, new RegExp(`${name} +${isReplica ? "replica" : "leader"} +yes`));
    }
    assert.match(stdout, /2,5\d\d keys in .* · .* reads\/s, .* writes\/s · fullest shard 1\.\d\d × the mean/);
    const json = JSON.parse((await kv(["status", "--json"])).stdout) as { shards: unknown[] };
    assert.equal(json.shards.length, 2);
    const [, replica] = cluster.members(1);
    await replica?.kill();
    assert.match((await kv(["status"])).stdout, new RegExp(`${replica?.name} +does not answer`));
    await replica?.startReady();
  });

  test("a dry run of a promotion says that nothing stands against it, and changes nothing", async () => {
    const [leader, replica] = cluster.members(0);
    const words = ["promote", "--shard", leader?.shard ?? "", "--node", replica?.name ?? ""];
    const dry = await kv([...words, "--dry-run"]);
    assert.equal(dry.exitCode, 0, dry.stderr);
    assert.match(dry.stdout, /Nothing stands against promoting/);
    const again = await kv(["promote", "--shard", leader?.shard ?? "", "--node", leader?.name ?? "", "--dry-run"]);
    assert.equal(again.exitCode, 0, again.stderr);
    assert.match(again.stdout, new RegExp(`${leader?.name} leads already: a promotion begins a new epoch`));
    assert.match(again.stdout, new RegExp(`^${leader?.name} leads ${leader?.shard} already, in epoch \\d+$`, "m"));
    assert.match((await kv(["status"])).stdout, new RegExp(`${leader?.name} +leader`));
  });

  test("a promotion that accepts data loss asks first, and without a terminal demands --yes", async () => {
    const [leader, replica] = cluster.members(0);
    const words = ["promote", "--shard", leader?.shard ?? "", "--node", replica?.name ?? "", "--accept-data-loss"];
    const { exitCode, stderr } = await kv(words);
    assert.equal(exitCode, 2);
    assert.match(stderr, /confirm with --yes/);
    assert.match((await kv(["status"])).stdout, new RegExp(`${leader?.name} +leader`));
  });

  test("a promotion makes the replica the leader, every node finds it, and the old leader follows", async () => {
    const [leader, replica] = cluster.members(0);
    const promoted = await kv(["promote", "--shard", leader?.shard ?? "", "--node", replica?.name ?? ""]);
    assert.equal(promoted.exitCode, 0, promoted.stderr);
    assert.match(promoted.stdout, new RegExp(`${replica?.name} leads ${leader?.shard} in epoch \\d+`));
    for (const { name } of cluster.nodes) {
      assert.equal((await kv(["set", `after:${name}`, name, "--node", name])).exitCode, 0);
    }
    const { stdout } = await kv(["status"]);
    assert.match(stdout, new RegExp(`${replica?.name} +leader`));
    assert.match(stdout, /The configuration file names/);
    await leader?.waitReady();
    assert.match((await kv(["status"])).stdout, new RegExp(`${leader?.name} +replica`));
  });

  test("when no node answers, the message names what was asked and how to start the cluster", async () => {
    await cluster.killAll();
    const { exitCode, stderr } = await kv(["get", "user:123"]);
    assert.equal(exitCode, 1);
    assert.match(stderr, /none of the 4 nodes of .*sharding\.toml answers .*refuses connections.*\.\/launch\.sh/);
    const named = await kv(["get", "user:123", "--node", cluster.nodes[0]?.name ?? ""]);
    assert.match(named.stderr, /refuses connections; is it running\?/);
  });
});

test("a refused promotion prints what it found, as the dry run does", async (t) => {
  const cluster = await TestCluster.create({ replicaCount: 1 });
  t.after(async () => cluster.dispose());
  const [leader, replica] = cluster.members(0);
  assert(leader !== undefined && replica !== undefined);
  replica.start();
  const words = ["promote", "--shard", replica.shard, "--node", replica.name, "--config-file", cluster.configFile];
  const endMs = performance.now() + 20_000;
  let refused = await runKv(words);
  // Until it listens and has looked for the others.
  while (!refused.stderr.includes("may hold acknowledged writes") && performance.now() < endMs) {
    await setTimeout(100);
    refused = await runKv(words);
  }
  assert.equal(refused.exitCode, 1);
  assert.match(refused.stderr, /was not promoted: .* may hold acknowledged writes/);
  const finding = `- ${leader.name} does not answer`;
  assert.ok(refused.stdout.includes(finding), refused.stdout);
  const dry = await runKv([...words, "--dry-run"]);
  assert.ok(dry.stdout.includes(finding), dry.stdout);
  assert.equal(dry.exitCode, 1);
  const json = await runKv([...words, "--json"]);
  const { findings } = JSON.parse(json.stdout) as { findings: string[] };
  assert.ok(findings.includes(`${leader.name} does not answer`), json.stdout);
});

describe("wrong usage", () => {
  const WRONG: ReadonlyArray<{ readonly words: readonly string[]; readonly says: RegExp }> = [
    { words: [], says: /Usage: kv/ },
    { words: ["frobnicate"], says: /unknown command 'frobnicate'/ },
    { words: ["get"], says: /missing required argument 'key'/ },
    { words: ["get", "a", "--nope"], says: /unknown option '--nope'/ },
    { words: ["get", "a", "--node", "nowhere"], says: /--node nowhere must be host:port/ },
    { words: ["get", "!", "--base64", "--node", "127.0.0.1:1"], says: /! is not base64/ },
    { words: ["set", "k", "v", "--file", "f"], says: /not both/ },
    { words: ["set", "k", "v", "--ttl", "abc"], says: /--ttl abc must be a whole number from 1 to 3153600000/ },
    { words: ["set", "k", "v", "--ttl", "0"], says: /--ttl 0 must be/ },
    { words: ["set", "k", "v", "--if-version", "x"], says: /--if-version x must be a whole number/ },
    { words: ["set", "k", "v", "--durability", "some"], says: /--durability some must be async or in-sync/ },
    { words: ["get", "k", "--consistency", "some"], says: /--consistency some must be linearizable or eventual/ },
    { words: ["del", "k", "--if-version", ""], says: /--if-version {2}must be a whole number/ },
    { words: ["import", "/nonexistent.ndjson"], says: /nonexistent\.ndjson cannot be read/ },
    { words: ["scan", "--limit", "0", "--node", "127.0.0.1:1"], says: /--limit 0 must be a whole number from 1 on/ },
    { words: ["promote", "--shard", "Mumbai"], says: /required option '--node <address>' not specified/ },
    { words: ["-shard=Mumbai"], says: /required option '--db-location <directory>' not specified/ },
  ];

  for (const { words, says } of WRONG) {
    test(`"kv ${words.join(" ")}" ends with exit code 2 and says what is wrong`, async () => {
      const { exitCode, stderr } = await runKv(words);
      assert.equal(exitCode, 2, stderr);
      assert.match(stderr, says);
    });
  }

  test("a configuration file that is not there is named, with the option that names another, and exit code 1", async () => {
    const { exitCode, stderr } = await runKv(["get", "a", "--config-file", "/nonexistent.toml"]);
    assert.equal(exitCode, 1);
    assert.match(
      stderr,
      /nonexistent\.toml: there is no such file; name another with --config-file, or a node with --node/,
    );
  });
});

interface ScannedItem {
  readonly key: string;
  readonly key_encoding?: string;
  readonly version: number;
  readonly expires_at_ms?: number;
}

/** Every row of the cluster as the API has it. */
async function scanAll(cluster: TestCluster): Promise<Map<string, ScannedItem>> {
  const rows = new Map<string, ScannedItem>();
  let cursor: string | null = "";
  while (cursor !== null) {
    const query: string = cursor === "" ? "" : `&cursor=${cursor}`;
    const answer = await cluster.nodes[0]?.fetch(`/v1/kv?limit=1000${query}`);
    const page = (await answer?.json()) as { items: ScannedItem[]; cursor: string | null };
    for (const item of page.items) rows.set(item.key, item);
    cursor = page.cursor;
  }
  return rows;
}

async function deleteAll(cluster: TestCluster): Promise<void> {
  const operations = [...(await scanAll(cluster)).values()].map(({ key, key_encoding }) => ({
    delete: { key, ...(key_encoding === undefined ? {} : { key_encoding }) },
  }));
  for (let start = 0; start < operations.length; start += 1000) {
    const body = JSON.stringify({ ops: operations.slice(start, start + 1000) });
    const answer = await cluster.nodes[0]?.fetch("/v1/batch", {
      method: "POST",
      body,
      headers: { "Content-Type": "application/json" },
    });
    assert.equal(answer?.status, 200);
  }
}
