import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { dataEntry, epochStartEntry, LogFixture, readAll, sequencesOf } from "../../tests/support/log-fixture.ts";
import type { Sequence } from "../model/position.ts";
import { GroupCommit } from "./group-commit.ts";

describe("a group commit", () => {
  test("writes what came in one turn as one batch, with one flush", () => {
    const world = new World();
    world.add(5);
    assert.deepEqual(world.told, []);
    const flushCount = world.fixture.disk.flushCount;
    world.timers.advance(0);
    assert.deepEqual(world.told, ["written 5", "flushed 5"]);
    assert.equal(world.fixture.disk.flushCount, flushCount + 1);
    assert.equal(world.fixture.log.durableSequence, 5);
  });

  test("makes the next batch of what queues up while a flush runs, as soon as it is over", () => {
    const world = new World();
    world.fixture.disk.faults.flushMs = () => 10;
    world.add(1);
    world.timers.advance(1);
    for (let i = 0; i < 8; i++) {
      world.add(1);
      world.timers.advance(1);
    }
    assert.deepEqual(world.told, ["written 1"]);
    assert.ok(world.commit.queuedBytes > 0);
    world.timers.advance(10);
    assert.deepEqual(world.told, ["written 1", "flushed 1", "written 9"]);
    assert.equal(world.commit.queuedBytes, 0);
    world.timers.advance(10);
    assert.deepEqual(world.told, ["written 1", "flushed 1", "written 9", "flushed 9"]);
  });

  test("waits for what the next turns bring, a few of them", () => {
    const world = new World();
    let turnCount = 0;
    const bringMore = (): void => {
      if (++turnCount > 100) return;
      world.add(1);
      world.timers.soon(bringMore);
    };
    world.timers.soon(bringMore);
    world.timers.advance(0);
    const [first = ""] = world.told;
    const count = Number(/^written (\d+)$/.exec(first)?.[1]);
    assert.ok(count > 4 && count < 16, first);
  });

  test("does not wait with a batch that is large", () => {
    const world = new World();
    world.add(500);
    world.timers.soon(() => world.add(1));
    world.timers.advance(0);
    assert.equal(world.told[0], "written 500");
  });

  test("holds a batch back while the tree is behind, and gathers in it what comes meanwhile", () => {
    const world = new World();
    world.delayMs = 30;
    world.add(1);
    world.timers.advance(29);
    world.add(2);
    assert.deepEqual(world.told, []);
    world.timers.advance(1);
    assert.deepEqual(world.told, ["written 3", "flushed 3"]);
  });

  test("takes what an answer appends into the batch that was waiting", () => {
    const world = new World();
    world.fixture.disk.faults.flushMs = () => 10;
    world.add(1);
    world.timers.advance(1);
    world.add(2);
    world.onFlushed = (sequence) => {
      if (sequence === 1) world.add(3);
    };
    world.timers.advance(100);
    assert.deepEqual(world.told, ["written 1", "flushed 1", "written 6", "flushed 6"]);
  });

  test("says in each batch's header what was flushed and committed when it was written", () => {
    const world = new World();
    world.add(2);
    world.timers.advance(0);
    world.commitSequence = 2;
    world.add(1);
    world.timers.advance(0);
    world.timers.clear();
    const recovery = world.fixture.crash();
    assert.equal(recovery.commitSequence, 2);
    assert.deepEqual(sequencesOf(readAll(world.fixture.log)), [1, 2, 3]);
  });

  test("drained, drops what is not written and answers at once when nothing is under way", () => {
    const world = new World();
    world.add(3);
    let isDone = false;
    world.commit.drain(() => {
      isDone = true;
    });
    assert.ok(isDone);
    assert.equal(world.commit.queuedBytes, 0);
    world.timers.advance(100);
    assert.deepEqual(world.told, []);
    world.sequence = 0;
    world.add(1);
    world.timers.advance(0);
    assert.deepEqual(world.told, ["written 1", "flushed 1"]);
  });

  test("drained during a flush, waits for it, drops what comes meanwhile, and calls everyone who asked, in order", () => {
    const world = new World();
    world.fixture.disk.faults.flushMs = () => 10;
    world.add(2);
    world.timers.advance(1);
    world.add(2);
    world.commit.drain(() => world.told.push(`first drained, ${world.commit.queuedBytes} bytes queued`));
    world.add(1);
    world.commit.drain(() => world.told.push("second drained"));
    world.add(1);
    assert.deepEqual(world.told, ["written 2"]);
    world.timers.advance(100);
    assert.deepEqual(world.told, ["written 2", "flushed 2", "first drained, 0 bytes queued", "second drained"]);
    assert.equal(world.commit.queuedBytes, 0);
    assert.equal(world.fixture.log.lastSequence, 2);
  });

  test("goes on after it was drained, from what is written", () => {
    const world = new World();
    world.fixture.disk.faults.flushMs = () => 10;
    world.add(2);
    world.timers.advance(1);
    world.add(3);
    world.commit.drain(() => {
      world.sequence = world.fixture.log.lastSequence;
      world.add(1);
    });
    world.timers.advance(100);
    assert.deepEqual(world.told, ["written 2", "flushed 2", "written 3", "flushed 3"]);
  });

  test("stopped, writes nothing any more and tells nobody", () => {
    const world = new World();
    world.fixture.disk.faults.flushMs = () => 10;
    world.add(1);
    world.timers.advance(1);
    world.add(1);
    world.commit.stop();
    world.add(1);
    world.timers.advance(100);
    assert.deepEqual(world.told, ["written 1"]);
    assert.equal(world.fixture.log.lastSequence, 1);
  });

  test("after a flush that failed reports nothing as flushed (S3)", () => {
    const world = new World();
    world.fixture.disk.faults.flush = () => "EIO";
    world.add(1);
    world.timers.advance(100);
    assert.deepEqual(world.told, ["written 1"]);
    assert.equal(world.fixture.fatal.length, 1);
  });
});

/** A group commit over a log on a simulated disk. */
class World {
  readonly fixture = new LogFixture({
    sizes: { segmentBytesFirst: 65_536, segmentBytesMax: 65_536, tailBytesMax: 65_536 },
  });
  readonly timers = this.fixture.timers;
  readonly told: string[] = [];
  onFlushed: (sequence: Sequence) => void = () => {};
  commitSequence = 0;
  delayMs = 0;
  sequence = 0;
  readonly commit: GroupCommit;

  constructor() {
    this.fixture.open();
    this.commit = new GroupCommit({
      log: this.fixture.log,
      timers: this.timers,
      commitSequence: () => this.commitSequence,
      delayMs: () => this.delayMs,
      onWritten: (sequence) => this.told.push(`written ${sequence}`),
      onFlushed: (sequence) => {
        this.told.push(`flushed ${sequence}`);
        this.onFlushed(sequence);
      },
    });
  }

  add(count: number): void {
    for (let i = 0; i < count; i++) {
      const sequence = ++this.sequence;
      this.commit.addEncoded(sequence === 1 ? epochStartEntry(1, 1) : dataEntry(sequence, 1, { bytes: 20 }));
    }
  }
}
