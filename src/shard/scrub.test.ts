import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { ManualTimers } from "../../tests/support/manual-timers.ts";
import { SPACE } from "../model/entry.ts";
import { MemoryTree, MemoryTreeFile } from "../tree/memory-tree.ts";
import type { TreeChange } from "../tree/tree.ts";
import { Scrub } from "./scrub.ts";

describe("the scrub", () => {
  test("walks every space in steps and names each damaged row", () => {
    const world = new World(200);
    world.file.damage(SPACE.user, "k120");
    world.file.damage(SPACE.user, "k199");
    world.file.damage(SPACE.requestIds, "id");
    world.timers.advance(10_000);
    assert.deepEqual(world.told, ["0 k120", "0 k199", "1 id", "201 rows, damaged: k120 k199 id"]);
    assert.ok(world.stepCount() > 10, `${world.stepCount()} steps`);
  });

  test("starts again after a pause, and then sees what has changed", () => {
    const world = new World(20);
    world.timers.advance(10_000);
    assert.deepEqual(world.told, ["21 rows, damaged: "]);
    world.file.damage(SPACE.user, "k003");
    world.timers.advance(100_000);
    assert.deepEqual(world.told.slice(1), ["0 k003", "21 rows, damaged: k003"]);
  });

  test("touches nothing once it is stopped", () => {
    const world = new World(200);
    world.timers.advance(50);
    world.scrub.stop();
    const steps = world.stepCount();
    world.timers.advance(1_000_000);
    assert.equal(world.stepCount(), steps);
    assert.deepEqual(world.told, []);
  });
});

class World {
  readonly file: MemoryTreeFile = new MemoryTreeFile();
  readonly timers: ManualTimers = new ManualTimers();
  readonly told: string[] = [];
  readonly scrub: Scrub;
  #steps = 0;

  constructor(rowCount: number) {
    const changes = Array.from({ length: rowCount }, (_, i) => set(`k${String(i).padStart(3, "0")}`));
    const id: TreeChange = { ...set("id"), space: SPACE.requestIds };
    const position = { appliedSequence: 1, applyingThrough: 1 };
    new MemoryTree(this.file).apply({ changes: [...changes, id], clearUserRows: false, position });
    this.scrub = new Scrub({
      tree: new MemoryTree(this.file),
      timers: {
        after: (delayMs, run) => this.timers.after(delayMs, () => this.#count(run)),
        soon: (run) => this.timers.soon(run),
      },
      pace: { stepBytes: 300, stepPauseMs: 10, walkPauseMs: 90_000 },
      onCorrupt: (space, key) => this.told.push(`${space} ${key}`),
      onWalked: ({ rowCount: count, corruptKeys }) =>
        this.told.push(`${count} rows, damaged: ${corruptKeys.join(" ")}`),
    });
    this.scrub.start();
  }

  stepCount(): number {
    return this.#steps;
  }

  #count(run: () => void): void {
    this.#steps++;
    run();
  }
}

function set(key: string): TreeChange {
  return { space: SPACE.user, key, record: { value: Buffer.from("value"), version: 1, expiryMs: 0, contentType: "" } };
}
