import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { SPACE, type Entry } from "../model/entry.ts";
import { KvError } from "../model/errors.ts";
import type { Sequence } from "../model/position.ts";
import { ManualTimers } from "../../tests/support/manual-timers.ts";
import { MemoryTree, MemoryTreeFile } from "../tree/memory-tree.ts";
import { InlineApplier } from "./inline-applier.ts";
import { APPLY_LIMITS } from "./log-applier.ts";

describe("an applier in the shard's thread", () => {
  test("answers in a later turn, when the shard's reader sees the rows", () => {
    const world = new World(10);
    assert.equal(world.read("k3"), null);
    world.applier.applyThrough(3);
    assert.deepEqual(world.told, []);
    world.timers.advance(100);
    assert.deepEqual(world.told, ["applied 3, k3 is v3"]);
  });

  test("answers every request to apply, also one with nothing to do", () => {
    const world = new World(10);
    world.applier.applyThrough(3);
    world.timers.advance(100);
    world.applier.applyThrough(3);
    world.timers.advance(100);
    world.applier.applyThrough(2);
    world.timers.advance(100);
    assert.deepEqual(
      world.told,
      Array.from({ length: 3 }, () => "applied 3, k3 is v3"),
    );
  });

  test("takes in what is asked for while it runs, and rests when it has everything", () => {
    const world = new World(10, 2);
    world.applier.applyThrough(5);
    world.timers.advance(25);
    world.applier.applyThrough(9);
    world.timers.advance(1000);
    assert.equal(world.told.at(-1), "applied 9, k3 is v3");
    assert.equal(world.timers.step(), false);
  });

  test("tries again while the disk is full, says so once, and goes on by itself", () => {
    const world = new World(10);
    world.file.isFull = true;
    world.applier.applyThrough(4);
    world.timers.advance(60_000);
    assert.deepEqual(world.told, ["disk full: true"]);
    world.file.isFull = false;
    world.timers.advance(6000);
    assert.deepEqual(world.told, ["disk full: true", "disk full: false", "applied 4, k3 is v3"]);
  });

  test("any other failure is fatal, once, and nothing is tried after it", () => {
    const world = new World(2);
    world.applier.applyThrough(7);
    world.timers.advance(1000);
    world.applier.applyThrough(7);
    world.timers.advance(1000);
    assert.equal(world.told.length, 2);
    assert.match(world.told[1] ?? "", /fatal: .*the log holds entry 3/);
  });

  test("a crash stops it between two transactions, and a new one goes on from the tree", () => {
    const world = new World(10, 2);
    world.applier.applyThrough(9);
    world.timers.advance(25);
    world.applier.crash();
    world.timers.advance(1000);
    assert.deepEqual(world.told, []);
    const { appliedSequence, applyingThrough } = new MemoryTree(world.file).position();
    assert.deepEqual([appliedSequence, applyingThrough], [0, 9]);
    const next = world.start(2);
    next.applyThrough(9);
    world.timers.advance(1000);
    assert.deepEqual(world.told, ["applied 9, k3 is v3"]);
    assert.equal(world.countRows(), 9);
  });

  test("takes in a snapshot: wipe, chunks, base, then the log behind it", () => {
    const source = new World(6);
    source.applier.applyThrough(6);
    source.timers.advance(100);
    const chunk = new MemoryTree(source.file).copyRange(SPACE.user, "", 1_000_000);

    const world = new World(8);
    world.applier.applyThrough(2);
    world.timers.advance(100);
    world.told.length = 0;
    const say = (what: string) => (): void => void world.told.push(`${what}, k6 is ${world.read("k6")}`);
    world.applier.wipe(say("wiped"));
    world.applier.importChunk({ chunk, afterKey: "", meta: new Map([["cursor", "end"]]) }, say("imported"));
    world.applier.setBase({ sequence: 6, versionBase: 0, logClockMs: 600 }, say("based"));
    world.timers.advance(1000);
    world.applier.applyThrough(8);
    world.timers.advance(1000);
    assert.deepEqual(world.told, ["wiped, k6 is null", "imported, k6 is v6", "based, k6 is v6", "applied 8, k3 is v3"]);
    assert.equal(world.countRows(), 8);
    assert.equal(new MemoryTree(world.file).meta("cursor"), "end");
  });

  test("refuses a damaged chunk at once, with nothing begun", () => {
    const source = new World(3);
    source.applier.applyThrough(3);
    source.timers.advance(100);
    const chunk = new MemoryTree(source.file).copyRange(SPACE.user, "", 1_000_000);
    const bytes = Buffer.from(chunk.bytes);
    bytes[bytes.length - 1] = (bytes.at(-1) ?? 0) ^ 1;
    const world = new World(0);
    const imported = { chunk: { ...chunk, bytes }, afterKey: "", meta: new Map<string, string>() };
    const isCorrupt = (error: unknown): boolean => error instanceof KvError && error.code === "CORRUPT";
    assert.throws(() => world.applier.importChunk(imported, () => assert.fail("stored")), isCorrupt);
    world.timers.advance(1000);
    assert.equal(world.countRows(), 0);
  });

  test("closes after what was asked before", () => {
    const world = new World(3);
    world.applier.wipe(() => world.told.push("wiped"));
    world.applier.close(() => world.told.push("closed"));
    world.timers.advance(1000);
    assert.deepEqual(world.told, ["wiped", "closed"]);
    assert.equal(world.timers.step(), false);
  });
});

/** A log of `entryCount` entries that set `k<n>` to `v<n>`, and a shard that only listens. */
class World {
  readonly timers: ManualTimers = new ManualTimers();
  readonly file: MemoryTreeFile = new MemoryTreeFile();
  readonly reader: MemoryTree = new MemoryTree(this.file);
  readonly told: string[] = [];
  readonly applier: InlineApplier;
  readonly #entryCount: number;

  constructor(entryCount: number, rowsMax: number = APPLY_LIMITS.transactionRowsMax) {
    this.#entryCount = entryCount;
    this.applier = this.start(rowsMax);
  }

  start(rowsMax: number): InlineApplier {
    return new InlineApplier({
      source: { read: (from, through) => this.#entries(from, through), reset: () => {}, close: () => {} },
      writer: new MemoryTree(this.file),
      reader: this.reader,
      clock: this.timers,
      timers: this.timers,
      transactionMs: () => 10,
      limits: { ...APPLY_LIMITS, transactionRowsMax: rowsMax },
      listener: {
        onApplied: (sequence) => this.told.push(`applied ${sequence}, k3 is ${this.read("k3")}`),
        onDiskFull: (isFull) => this.told.push(`disk full: ${isFull}`),
        onFatal: (error) => this.told.push(`fatal: ${error.message}`),
      },
    });
  }

  read(key: string): string | null {
    return this.reader.get(SPACE.user, key)?.value.toString() ?? null;
  }

  countRows(): number {
    return new MemoryTree(this.file).stats().userKeyCount;
  }

  *#entries(from: Sequence, through: Sequence): Generator<Entry> {
    for (let sequence = from; sequence <= Math.min(through, this.#entryCount); sequence++) {
      const value = Buffer.from(`v${sequence}`);
      const mutation = { space: SPACE.user, key: `k${sequence}`, value, expiryMs: 0, contentType: "" };
      yield { epoch: 1, sequence, timestampMs: 100 * sequence, body: { kind: "data", mutations: [mutation] } };
    }
  }
}
