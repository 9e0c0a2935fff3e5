import assert from "node:assert/strict";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { findCluster } from "./cluster-access.ts";

test("the faults of a configuration file stand alone; where there is no file, a node can be named instead", (t) => {
  const directory = mkdtempSync(join(tmpdir(), "kv-access-"));
  t.after(() => rmSync(directory, { recursive: true }));
  const configFile = join(directory, "sharding.toml");
  const fault = (): string => {
    try {
      findCluster({ configFile });
    } catch (error) {
      return error instanceof Error ? error.message.replaceAll(configFile, "FILE") : String(error);
    }
    return "";
  };
  assert.equal(
    fault(),
    "FILE: there is no such file; name another with --config-file, or a node with --node HOST:PORT",
  );
  const shard = '[[shards]]\nname = "One"\nidx = 0\naddress = "127.0.0.2:8080"\n';
  writeFileSync(configFile, `[cluster]\ncoordinator = "raft"\n${shard}`);
  assert.equal(fault(), 'FILE:2: cluster.coordinator = "raft" must be "static" or "embedded" or "etcd"');
});
