import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { EntryBatch } from "./entry-batch.ts";
import { LOG_DIRECTORY, LogFixture, readAll } from "../../tests/support/log-fixture.ts";
import { proveCaught } from "../../tests/support/prove-caught.ts";

function openFixture(): LogFixture {
  const fixture = new LogFixture();
  fixture.open();
  return fixture;
}

/** One flush fails; the kernel then calls the pages clean, so that a second one would succeed without having written them. */
function checkFailedFlush(): void {
  const fixture = openFixture();
  const before = fixture.write(3);
  fixture.flush();
  fixture.write(2);
  let failuresLeft = 1;
  fixture.disk.faults.flush = () => (failuresLeft-- > 0 ? "EIO" : null);
  const reported: number[] = [];
  fixture.log.flush((sequence) => reported.push(sequence));
  fixture.log.flush((sequence) => reported.push(sequence));
  fixture.timers.advance(1000);
  assert.deepEqual(reported, [], "no flush is reported any more");
  assert.equal(fixture.fatal.length, 1, "the process was told to end, once");
  assert.equal(fixture.log.durableSequence, 3);
  assert.equal(fixture.log.roomFor(1), "full");
  assert.throws(() => fixture.log.writeBatch(EntryBatch.of(before), { flushedSequence: 0, commitSequence: 0 }));
  assert.deepEqual(fixture.log.read(1, 1).last, 1, "reading still works");
}

/** What is written while a flush runs is not contained in it. */
function checkWriteDuringFlush(): void {
  const fixture = openFixture();
  fixture.disk.faults.flushMs = () => 10;
  fixture.write(2);
  const reported: number[] = [];
  fixture.log.flush((sequence) => reported.push(sequence));
  fixture.write(2);
  fixture.timers.advance(10);
  assert.deepEqual(reported, [2]);
  assert.equal(fixture.log.durableSequence, 2);
}

describe("a failing disk", () => {
  test("a failed flush is fatal, is never tried again, and nothing is reported after it (S3)", () => {
    checkFailedFlush();
  });

  test("that check notices a flush that is logged and retried (M65)", () => {
    proveCaught("M65", checkFailedFlush);
  });

  test("a short write is fatal, and the torn batch is gone after the restart", () => {
    const fixture = openFixture();
    const sound = fixture.write(3);
    fixture.flush();
    fixture.disk.faults.write = (_path, lengthBytes) => ({ code: "EIO", writtenBytes: lengthBytes - 5 });
    assert.throws(() => fixture.write(2), /EIO/);
    assert.equal(fixture.fatal.length, 1);
    assert.equal(fixture.log.lastSequence, 3, "what failed to be written is not in the log");
    fixture.log.flush(() => assert.fail("nothing is flushed any more"));
    fixture.disk.faults.write = null;
    fixture.timers.advance(100);
    fixture.crash();
    assert.deepEqual(readAll(fixture.log).slice(0, 3), sound);
    assert.equal(fixture.log.lastSequence, 4, "the whole entry before the tear survived");
  });

  test("a full disk in the middle of a segment is fatal: space is asked for before (S4)", () => {
    const fixture = openFixture();
    fixture.disk.faults.write = () => ({ code: "ENOSPC", writtenBytes: 0 });
    assert.throws(() => fixture.write(1), /ENOSPC/);
    assert.equal(fixture.fatal.length, 1);
  });

  test("what survived a failed flush in the page cache is written again before it counts as durable", () => {
    const fixture = openFixture();
    const sound = fixture.write(3);
    fixture.flush();
    const doubtful = fixture.write(4, 700);
    fixture.disk.faults.flush = () => "EIO";
    fixture.flush();
    fixture.disk.faults.flush = null;
    fixture.crash();
    assert.equal(fixture.log.durableSequence, 7);
    fixture.powerCut();
    assert.deepEqual(readAll(fixture.log), [...sound, ...doubtful]);
  });

  test("callbacks of a dead process never run", () => {
    const fixture = openFixture();
    fixture.disk.faults.flushMs = () => 10;
    fixture.write(2);
    fixture.log.flush(() => assert.fail("the process is dead"));
    fixture.disk.crash();
    fixture.timers.advance(100);
    assert.equal(fixture.disk.list(LOG_DIRECTORY).length > 0, true);
  });
});

describe("a flush", () => {
  test("reports the last sequence that it contains, not the last one written (2.6)", () => {
    checkWriteDuringFlush();
  });

  test("that check notices a flush that reports the end of the log (M92)", () => {
    proveCaught("M92", checkWriteDuringFlush);
  });

  test("calls made while one runs share the next one", () => {
    const fixture = openFixture();
    fixture.disk.faults.flushMs = () => 10;
    const before = fixture.disk.flushCount;
    const reported: string[] = [];
    for (const name of ["first", "second", "third"]) {
      fixture.write(1);
      fixture.log.flush((sequence) => reported.push(`${name} ${sequence}`));
    }
    fixture.timers.advance(100);
    assert.deepEqual(reported, ["first 1", "second 3", "third 3"]);
    assert.equal(fixture.disk.flushCount, before + 2);
  });
});
