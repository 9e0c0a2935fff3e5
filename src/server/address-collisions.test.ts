import assert from "node:assert/strict";
import { test } from "node:test";
import { KvError } from "../model/errors.ts";
import { parseConfig } from "./config.ts";

function faultsOf(coordinator: string, address: string): string {
  const shard = `[[shards]]\nname = "Solo"\nidx = 0\naddress = "${address}"`;
  try {
    parseConfig(`[cluster]\n${coordinator}\n${shard}\n`, "sharding.toml");
  } catch (error) {
    assert(error instanceof KvError);
    return error.message;
  }
  return "";
}

function embeddedAt(endpoint: string): string {
  return `coordinator = "embedded"\n[coordinator]\nendpoints = ["${endpoint}"]`;
}

test("a coordinator at an address of a node is a collision, whichever of the node's addresses it is", () => {
  assert.equal(
    faultsOf(embeddedAt("http://127.0.0.2:8080"), "127.0.0.2:8080"),
    'sharding.toml:4: coordinator.endpoints = "http://127.0.0.2:8080" is also the HTTP address of 127.0.0.2:8080: give the coordinator an address of its own',
  );
  assert.match(faultsOf(embeddedAt("http://127.0.0.2:9080"), "127.0.0.2:8080"), /is also the peer address of/);
  assert.match(faultsOf(embeddedAt("http://127.0.0.1:10080"), "localhost:8080"), /is also the RESP address of local/);
  assert.equal(faultsOf(embeddedAt("http://127.0.0.3:8080"), "127.0.0.2:8080"), "");
});

test("so is a node at the address that a coordinator has when none is given", () => {
  assert.match(faultsOf('coordinator = "embedded"', "127.0.0.1:7100"), /"http:\/\/127\.0\.0\.1:7100" is also the HTTP/);
  assert.match(faultsOf('coordinator = "etcd"', "127.0.0.1:2379"), /"http:\/\/127\.0\.0\.1:2379" is also the HTTP/);
  assert.equal(faultsOf('coordinator = "static"', "127.0.0.1:7100"), "");
});
