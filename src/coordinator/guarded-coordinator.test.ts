import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { silentLogger } from "../base/logger.ts";
import { KvError } from "../model/errors.ts";
import { encodeMetaDocument } from "../model/meta-document.ts";
import type { Coordinator, ReadResult, SwapResult } from "./coordinator.ts";
import { GuardedCoordinator } from "./guarded-coordinator.ts";

const KEY = "/kv/test/shards/s";
const OURS = "00000000-0000-4000-8000-000000000001";
const THEIRS = "00000000-0000-4000-8000-000000000002";
const DOCUMENT: ReadResult = { kind: "value", value: "the document", revision: "5" };
const ABSENT: ReadResult = { kind: "absent" };
const DOWN: ReadResult = { kind: "failed", reason: "it is down" };

function metaOf(clusterId: string): ReadResult {
  const value = encodeMetaDocument({ clusterId, createdAt: "2026-01-01T00:00:00Z" });
  return { kind: "value", value, revision: "1" };
}

/** A guard over a coordinator whose two answers a test sets, and the node's memory of its cluster. */
class World {
  meta: ReadResult = metaOf(OURS);
  document: ReadResult = DOCUMENT;
  clusterId: string | null = null;
  swapCount = 0;
  noteFailure: KvError | null = null;
  readonly said: string[] = [];
  readonly guard: GuardedCoordinator;

  constructor() {
    const coordinator: Coordinator = {
      read: (key, done) => done(key === KEY ? this.document : this.meta),
      compareAndSwap: (_key, _swap, done) => {
        this.swapCount++;
        done({ kind: "accepted", revision: "6" });
      },
      list: (_prefix, done) => done({ kind: "documents", documents: [] }),
      watch: () => ({ stop: () => {} }),
      close: () => {},
    };
    const read = (): string | null => this.clusterId;
    const memory = {
      get clusterId() {
        return read();
      },
      noteClusterId: (clusterId: string) => {
        if (this.noteFailure !== null) throw this.noteFailure;
        this.clusterId = clusterId;
      },
    };
    const say =
      (level: string) =>
      (message: string): number =>
        this.said.push(`${level}: ${message}`);
    const logger = { ...silentLogger, info: say("info"), warn: say("warn") };
    this.guard = new GuardedCoordinator({ coordinator, cluster: "test", memory, logger });
  }

  swap(): SwapResult {
    const results: SwapResult[] = [];
    this.guard.compareAndSwap(KEY, { expectedRevision: "5", value: "next" }, (result) => results.push(result));
    const [result] = results;
    assert(result !== undefined && results.length === 1, "answered exactly once");
    return result;
  }

  read(): ReadResult {
    const results: ReadResult[] = [];
    this.guard.read(KEY, (result) => results.push(result));
    const [result] = results;
    assert(result !== undefined && results.length === 1, "answered exactly once");
    return result;
  }
}

describe("a node's coordinator", () => {
  test("without documents is no alarm for a node that has never seen one, and is one afterwards", () => {
    const world = new World();
    world.meta = ABSENT;
    world.document = ABSENT;
    world.read();
    assert.deepEqual(world.said.splice(0), ["info: The coordinator answers; it has no document of this shard yet"]);
    world.meta = metaOf(OURS);
    world.document = DOCUMENT;
    world.read();
    world.document = ABSENT;
    world.read();
    assert.deepEqual(world.said, ["info: The coordinator answers", "warn: The coordinator is of no use at the moment"]);
  });

  test("is never sent a change of another cluster's documents, nor one while it cannot be told whose they are", () => {
    const world = new World();
    world.read();
    assert.deepEqual(world.swap(), { kind: "accepted", revision: "6" });
    for (const meta of [metaOf(THEIRS), ABSENT, DOWN]) {
      world.meta = meta;
      assert.equal(world.swap().kind, "failed");
    }
    assert.equal(world.swapCount, 1);
  });

  test("binds the node to the cluster of the first document it reads, durably", () => {
    const world = new World();
    world.document = ABSENT;
    assert.deepEqual(world.read(), ABSENT);
    assert.equal(world.clusterId, null, "nothing was gone by yet");
    world.document = DOCUMENT;
    assert.deepEqual(world.read(), DOCUMENT);
    assert.equal(world.clusterId, OURS);
    assert.equal(world.guard.trouble, null);
  });

  test("has no documents of another cluster of the same name (C5)", () => {
    const world = new World();
    world.read();
    world.meta = metaOf(THEIRS);
    assert.deepEqual(world.read(), ABSENT);
    assert.equal(world.guard.trouble, "It has no document of this shard of this cluster");
    world.meta = metaOf(OURS);
    assert.deepEqual(world.read(), DOCUMENT);
    assert.equal(world.guard.trouble, null);
  });

  test("has no document without the cluster's identity, once the node knows one", () => {
    const world = new World();
    world.read();
    world.meta = ABSENT;
    assert.deepEqual(world.read(), ABSENT);
  });

  test("fails where it cannot tell whose document it is", () => {
    const world = new World();
    world.meta = DOWN;
    assert.deepEqual(world.read(), DOWN);
    assert.equal(world.guard.trouble, "it is down");
    world.meta = { kind: "value", value: "{", revision: "1" };
    assert.equal(world.read().kind, "failed");
    world.meta = metaOf(OURS);
    world.noteFailure = new KvError("DISK_FULL", "no room");
    assert.deepEqual(world.read(), { kind: "failed", reason: "no room" });
    assert.equal(world.clusterId, null);
  });
});
