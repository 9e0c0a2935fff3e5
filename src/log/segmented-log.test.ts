import assert from "node:assert/strict";
import { describe, test } from "node:test";
import {
  dataEntry,
  epochStartEntry,
  LOG_DIRECTORY,
  LogFixture,
  readAll,
  sequencesOf,
} from "../../tests/support/log-fixture.ts";

describe("a segmented log", () => {
  test("a new log is empty, and has no leadership", () => {
    const fixture = new LogFixture();
    const recovery = fixture.open();
    assert.deepEqual(recovery, { commitSequence: 0, corruption: null, tornBytes: 0 });
    assert.equal(fixture.log.startSequence, 1);
    assert.equal(fixture.log.lastSequence, 0);
    assert.equal(fixture.log.durableSequence, 0);
    assert.deepEqual(fixture.log.lastEpoch, { epoch: 0, term: "0000000000000000" });
    assert.equal(fixture.log.epochOf(0), null);
  });

  test("what was written is read back in whole entries, from memory and from many segments", () => {
    const fixture = new LogFixture();
    fixture.open();
    const written: Buffer[] = [];
    for (let i = 0; i < 200; i++) written.push(...fixture.write(1 + (i % 5), 10 + (i % 300)));
    assert.ok(fixture.disk.list(LOG_DIRECTORY).length > 5, "the log has several segments");
    assert.deepEqual(readAll(fixture.log), written);
    assert.deepEqual(readAll(fixture.log, 1), written);
    assert.deepEqual(readAll(fixture.log, 1_000_000), written);
    const { bytes, last } = fixture.log.read(fixture.log.lastSequence + 1, 100);
    assert.equal(bytes.length, 0);
    assert.equal(last, fixture.log.lastSequence);
  });

  test("a read gives at most the bytes asked for, but at least one entry", () => {
    const fixture = new LogFixture({ sizes: { segmentBytesFirst: 4096, segmentBytesMax: 4096, tailBytesMax: 0 } });
    fixture.open();
    const written = fixture.write(10, 50);
    const size = written[3]?.length ?? 0;
    for (const origin of ["memory", "disk"]) {
      if (origin === "disk") fixture.write(1);
      assert.deepEqual(sequencesOf([fixture.log.read(4, 1).bytes]), [4], origin);
      assert.equal(fixture.log.read(4, 2 * size).last, 5, origin);
      assert.equal(fixture.log.read(4, 2 * size - 1).last, 4, origin);
    }
  });

  test("each batch is one write, and what is written during a flush is not part of it", () => {
    const fixture = new LogFixture();
    fixture.open();
    fixture.disk.faults.flushMs = () => 5;
    const before = fixture.disk.writeCount;
    fixture.write(3);
    assert.equal(fixture.disk.writeCount, before + 1);
    const reported: number[] = [];
    fixture.log.flush((sequence) => reported.push(sequence));
    fixture.write(4);
    fixture.log.flush((sequence) => reported.push(sequence));
    assert.equal(fixture.log.durableSequence, 0);
    fixture.timers.advance(5);
    assert.deepEqual(reported, [3]);
    assert.equal(fixture.log.durableSequence, 3);
    fixture.timers.advance(5);
    assert.deepEqual(reported, [3, 7]);
  });

  test("a flush covers the segment that was left since the flush before", () => {
    const fixture = new LogFixture();
    fixture.open();
    fixture.write(1);
    const firstSegments = fixture.disk.list(LOG_DIRECTORY).length;
    while (fixture.disk.list(LOG_DIRECTORY).length === firstSegments) fixture.write(1, 500);
    fixture.write(4, 900);
    const last = fixture.log.lastSequence;
    assert.equal(fixture.flush(), last);
    fixture.powerCut();
    assert.equal(fixture.log.lastSequence, last);
  });

  test("epochs and their terms survive restarts and the removal of their entries", () => {
    const fixture = new LogFixture();
    fixture.open();
    fixture.write(30, 200);
    fixture.writeBatch([epochStartEntry(31, 5), dataEntry(32, 5, { bytes: 200 })]);
    for (let i = 0; i < 20; i++) fixture.write(5, 200);
    fixture.flush();
    fixture.log.trimThrough(60);
    fixture.timers.advance(10);
    const { epochs } = fixture.log;
    const start = fixture.log.startSequence;
    assert.ok(start > 32, `the log now begins with ${start}`);
    fixture.crash();
    assert.equal(fixture.log.startSequence, start);
    assert.deepEqual(fixture.log.epochs, epochs);
    assert.deepEqual(
      fixture.log.epochs.map(({ epoch, firstSequence }) => [epoch, firstSequence]),
      [
        [1, 1],
        [5, 31],
      ],
    );
    assert.equal(fixture.log.epochOf(30)?.epoch, 1);
    assert.equal(fixture.log.epochOf(start - 1)?.epoch, 5);
    assert.equal(fixture.log.epochOf(fixture.log.lastSequence + 1), null);
    assert.deepEqual(fixture.log.lastEpoch, { epoch: 5, term: "0000000000000005" });
  });

  test("trimming removes whole segments only, never the one in use", () => {
    const fixture = new LogFixture();
    fixture.open();
    for (let i = 0; i < 40; i++) fixture.write(3, 200);
    fixture.flush();
    const full = fixture.log.fullSegments;
    const second = full[1];
    assert.ok(second !== undefined);
    fixture.log.trimThrough(second.lastSequence - 1);
    assert.equal(fixture.log.startSequence, (full[0]?.lastSequence ?? 0) + 1);
    fixture.log.trimThrough(fixture.log.lastSequence);
    assert.equal(fixture.log.fullSegments.length, 0);
    const { startSequence, lastSequence, sizeBytes } = fixture.log;
    assert.ok(startSequence > 1 && startSequence <= lastSequence);
    fixture.timers.advance(10);
    assert.deepEqual(sequencesOf(readAll(fixture.log))[0], startSequence);
    fixture.crash();
    assert.equal(fixture.log.startSequence, startSequence);
    assert.equal(fixture.log.sizeBytes, sizeBytes);
  });

  test("a cut removes everything behind it, hands it over first, and the log goes on from there", () => {
    for (const keepCount of [0, 1, 7, 33, 79, 80]) {
      const fixture = new LogFixture();
      fixture.open();
      const written: Buffer[] = [];
      for (let i = 0; i < 16; i++) written.push(...fixture.write(5, 150));
      fixture.flush();
      const kept: Buffer[] = [];
      const cut = fixture.log.truncateAfter(keepCount, (bytes) => {
        assert.equal(fixture.log.lastSequence, 80);
        kept.push(bytes);
      });
      assert.deepEqual(cut, Buffer.concat(written.slice(keepCount)));
      if (keepCount < 80) assert.deepEqual(kept, [cut]);
      assert.equal(fixture.log.lastSequence, keepCount);
      assert.equal(fixture.log.durableSequence, keepCount);
      assert.deepEqual(readAll(fixture.log), written.slice(0, keepCount));
      const more =
        keepCount === 0
          ? [epochStartEntry(1, 9)]
          : [epochStartEntry(keepCount + 1, 9), dataEntry(keepCount + 2, 9, { bytes: 99 })];
      fixture.writeBatch(more);
      fixture.flush();
      const recovery = fixture.powerCut();
      assert.equal(recovery.corruption, null);
      assert.deepEqual(readAll(fixture.log), [...written.slice(0, keepCount), ...more]);
      assert.equal(fixture.log.lastEpoch.epoch, 9);
    }
  });

  test("a restarted log begins behind its base and knows the epochs before it", () => {
    const fixture = new LogFixture();
    fixture.open();
    for (let i = 0; i < 16; i++) fixture.write(5, 150);
    fixture.flush();
    const epochs = [{ epoch: 4, term: "00000000000000aa", firstSequence: 900, versionBase: 7, lineage: 1 }];
    fixture.log.restart({ sequence: 1000, epochs });
    for (const when of ["at once", "after a power cut"]) {
      if (when !== "at once") fixture.powerCut();
      assert.equal(fixture.log.startSequence, 1001, when);
      assert.equal(fixture.log.lastSequence, 1000, when);
      assert.equal(fixture.log.durableSequence, 1000, when);
      assert.deepEqual(fixture.log.epochs, epochs, when);
      assert.equal(fixture.log.epochOf(1000)?.term, "00000000000000aa", when);
    }
    fixture.write(3);
    assert.equal(fixture.flush(), 1003);
    fixture.powerCut();
    assert.deepEqual(sequencesOf(readAll(fixture.log)), [1001, 1002, 1003]);
  });

  test("a log that was closed says that all of it was flushed: damage to its newest batch is corruption", () => {
    const fixture = new LogFixture();
    fixture.open();
    const entries = fixture.write(20);
    fixture.flush();
    const path = `${LOG_DIRECTORY}/0000000000000001.log`;
    const offset = fixture.disk.content(path).indexOf(entries[12] ?? "") + 30;
    const unclosed = fixture.disk.clone();
    unclosed.flipBit(path, offset, 0);
    const torn = new LogFixture({ disk: unclosed });
    assert.equal(torn.open().corruption, null);
    fixture.log.close();
    fixture.disk.flipBit(path, offset, 0);
    const recovery = fixture.crash();
    assert.equal(recovery.corruption?.file, path);
    assert.equal(fixture.log.lastSequence, 12);
    assert.equal(torn.log.lastSequence, 12);
  });

  test("an entry larger than a segment gets a segment of its own size", () => {
    const fixture = new LogFixture();
    fixture.open();
    fixture.write(1);
    const entry = dataEntry(2, 1, { bytes: 100_000 });
    assert.equal(fixture.log.roomFor(entry.length), "preparing");
    fixture.writeBatch([entry]);
    fixture.write(5);
    fixture.flush();
    fixture.powerCut();
    assert.equal(fixture.log.lastSequence, 7);
    assert.deepEqual(fixture.log.read(2, 10).bytes, entry);
  });

  test("room that was promised stays while a larger entry is asked about", () => {
    const fixture = new LogFixture();
    fixture.open();
    fixture.write(1);
    const small = dataEntry(2, 1, { bytes: 4000 });
    fixture.waitForRoom(small.length);
    assert.equal(fixture.log.roomFor(100_000), "preparing");
    assert.equal(fixture.log.roomFor(small.length), "yes");
    fixture.writeBatch([small]);
    fixture.waitForRoom(100_000);
    fixture.writeBatch([dataEntry(3, 1, { bytes: 90_000 })]);
    fixture.flush();
    fixture.crash();
    assert.equal(fixture.log.lastSequence, 3);
  });
});
