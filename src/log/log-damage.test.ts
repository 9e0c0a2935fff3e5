import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { LOG_DIRECTORY, LogFixture, readAll } from "../../tests/support/log-fixture.ts";
import { ManualTimers } from "../../tests/support/manual-timers.ts";
import { proveCaught } from "../../tests/support/prove-caught.ts";
import type { SimDisk } from "../../tests/support/sim-disk.ts";
import { crc32 } from "../base/crc32.ts";
import { KvError } from "../model/errors.ts";
import { LogReader } from "./log-reader.ts";
import type { LogRecovery } from "./log.ts";

interface Written {
  readonly disk: SimDisk;
  /** Batches in order, each the entries that it holds. */
  readonly batches: readonly (readonly Buffer[])[];
  readonly entries: readonly Buffer[];
}

/** A log of several batches over two segments, each batch flushed before the next was written, as group commit does. */
function writeLog(batchCount = 7): Written {
  const fixture = new LogFixture({ sizes: { segmentBytesFirst: 640, segmentBytesMax: 640, tailBytesMax: 0 } });
  fixture.open();
  const batches: Buffer[][] = [];
  for (let i = 0; i < batchCount; i++) {
    batches.push(fixture.write(1 + (i % 3), 5 + 2 * i));
    fixture.flush();
  }
  fixture.timers.clear();
  return { disk: fixture.disk, batches, entries: batches.flat() };
}

function reopen(disk: SimDisk): {
  readonly found: Buffer[];
  readonly recovery: LogRecovery;
  readonly fixture: LogFixture;
} {
  const timers = new ManualTimers();
  const copy = disk.clone(timers);
  const sizes = { segmentBytesFirst: 640, segmentBytesMax: 640, tailBytesMax: 0 };
  const fixture = new LogFixture({ disk: copy, timers, sizes });
  const recovery = fixture.open();
  return { found: readAll(fixture.log), recovery, fixture };
}

/** Where the bytes of a file stop being zero, and what the entries' own ends are. */
function segmentFiles(disk: SimDisk): string[] {
  return disk
    .list(LOG_DIRECTORY)
    .filter((name) => /^\d+\.log$/.test(name))
    .map((name) => `${LOG_DIRECTORY}/${name}`);
}

describe("a log cut at any byte", () => {
  test("gives exactly the whole entries before the cut, and goes on from there", () => {
    const written = writeLog();
    const [firstPath, lastPath] = segmentFiles(written.disk);
    assert.ok(firstPath !== undefined && lastPath !== undefined, "there are two segments");
    const content = written.disk.content(lastPath);
    const inFirst = Number(lastPath.slice(-20, -4)) - 1;
    const ends = written.entries.slice(inFirst).map((entry) => content.indexOf(entry) + entry.length);
    const end = ends.at(-1) ?? 0;
    assert.ok(ends.length >= 4);
    for (let cut = 0; cut <= end; cut++) {
      const disk = written.disk.clone();
      disk.place(lastPath, content.subarray(0, cut));
      const expected = written.entries.slice(0, inFirst + ends.filter((entryEnd) => entryEnd <= cut).length);
      const { found, recovery, fixture } = reopen(disk);
      assert.deepEqual(found, expected, `cut at byte ${cut}`);
      assert.equal(recovery.corruption, null);
      const more = fixture.write(2);
      fixture.flush();
      fixture.powerCut();
      assert.deepEqual(readAll(fixture.log), [...expected, ...more], `written after a cut at byte ${cut}`);
    }
  });
});

/** The batch that a byte of a segment belongs to; -1 for what is none. */
function batchAt(written: Written, path: string, offset: number): number {
  const content = written.disk.content(path);
  return written.batches.findIndex((batch) => {
    const joined = Buffer.concat(batch);
    const start = content.indexOf(joined);
    return start >= 0 && offset >= start - 24 && offset < start + joined.length;
  });
}

/** Bytes up to the last batch's end; behind them come zeros and the header's copy. */
function usedBytes(content: Buffer, length: number): number {
  return content.indexOf(Buffer.alloc(64), 64) === -1 ? length : content.indexOf(Buffer.alloc(64), 64);
}

function checkEveryBit(step: number): void {
  const written = writeLog();
  const newest = written.batches.length - 1;
  const kept = written.batches.slice(0, newest).flat();
  let reported = 0;
  for (const path of segmentFiles(written.disk)) {
    const { length } = written.disk.content(path);
    const used = usedBytes(written.disk.content(path), length);
    for (let position = 0; position < length * 8; position += position < used * 8 ? step : 97) {
      const disk = written.disk.clone();
      disk.flipBit(path, Math.floor(position / 8), position % 8);
      const batch = batchAt(written, path, Math.floor(position / 8));
      const { found, recovery, fixture } = reopen(disk);
      const place = `bit ${position} of ${path}, batch ${batch}`;
      found.forEach((entry, index) => assert.ok(entry.equals(written.entries[index] ?? entry.subarray(1)), place));
      if (batch === newest) {
        assert.ok(found.length >= kept.length, `${place}: only the newest batch is lost`);
        const isCut = found.length < written.entries.length;
        if (isCut) assert.equal(fixture.tornEnds[0]?.file, path, `${place}: and that is told before it is cut off`);
      } else if (batch === -1) assert.equal(found.length, written.entries.length, `${place}: nothing is lost`);
      else {
        assert.equal(recovery.corruption?.file, path, place);
        assert.ok(found.length < written.entries.length, place);
        reported++;
      }
    }
  }
  assert.ok(reported > 100, "bits of older batches were flipped");
}

describe("a log with one flipped bit", () => {
  test("never gives a wrong entry, and reports it but in its newest batch", () => {
    checkEveryBit(1);
  });

  test("that check notices a checksum that is not verified (M68)", () => {
    proveCaught("M68", () => checkEveryBit(7));
  });

  test("that check notices corruption that is not reported (M69)", () => {
    proveCaught("M69", () => checkEveryBit(7));
  });

  test("an entry damaged while the log is in use is refused when it is read from the disk", () => {
    const fixture = new LogFixture({ sizes: { segmentBytesFirst: 4096, segmentBytesMax: 4096, tailBytesMax: 0 } });
    fixture.open();
    const entries = [...fixture.write(8, 40), ...fixture.write(1)];
    fixture.flush();
    const path = segmentFiles(fixture.disk)[0] ?? "";
    const content = fixture.disk.content(path);
    fixture.disk.flipBit(path, content.indexOf(entries[4] ?? "") + 35, 3);
    const isCorrupt = (error: unknown): boolean => error instanceof KvError && error.code === "CORRUPT";
    assert.equal(fixture.log.read(1, 1000).last, 4, "entries before the damage are served");
    assert.throws(() => fixture.log.read(5, 10), isCorrupt);
    assert.throws(() => [...new LogReader(fixture.disk, LOG_DIRECTORY).read(1, 9)], isCorrupt);
    assert.equal(fixture.log.read(6, 10).last, 6);
  });
});

describe("damage that recovery must tell from a torn end", () => {
  test("is stored before the damaged end is cut off, and not found again", () => {
    const written = writeLog();
    const path = segmentFiles(written.disk)[0] ?? "";
    const content = written.disk.content(path);
    written.disk.flipBit(path, content.indexOf(written.entries[1] ?? "") + 30, 0);
    const fixture = new LogFixture({ disk: written.disk });
    written.disk.crash();
    const before = written.disk.writeCount;
    const refusing = (): never => {
      assert.equal(written.disk.writeCount, before, "nothing was changed yet");
      throw new Error("the mark cannot be stored");
    };
    assert.throws(() => fixture.open({ onCutEnd: refusing }), /cannot be stored/);
    const again = fixture.crash();
    assert.equal(again.corruption?.file, path);
    assert.equal(fixture.corruptions.length, 1);
    assert.equal(fixture.log.lastSequence, 1);
    assert.equal(fixture.crash().corruption, null);
    assert.deepEqual(readAll(fixture.log), [written.entries[0]]);
  });

  test("a segment that is missing in the middle is corruption", () => {
    const fixture = new LogFixture();
    fixture.open();
    for (let i = 0; i < 30; i++) {
      fixture.write(2, 300);
      fixture.flush();
    }
    const [, second] = fixture.log.fullSegments;
    const path = segmentFiles(fixture.disk)[1] ?? "";
    fixture.disk.remove(path);
    const recovery = fixture.crash();
    assert.match(recovery.corruption?.detail ?? "", /is missing/);
    assert.ok(second !== undefined && fixture.log.lastSequence < second.lastSequence);
  });

  test("a first segment whose header is gone is corruption, and the log starts anew before it", () => {
    const fixture = new LogFixture();
    fixture.open();
    for (let i = 0; i < 30; i++) {
      fixture.write(2, 300);
      fixture.flush();
    }
    const path = segmentFiles(fixture.disk)[0] ?? "";
    fixture.disk.place(path, Buffer.alloc(4096, 0xa5));
    const recovery = fixture.crash();
    assert.equal(recovery.corruption?.file, path);
    assert.equal(fixture.log.lastSequence, 0);
    assert.deepEqual(fixture.log.epochs, []);
  });

  test("a store that had a log is not started without one", () => {
    const isRefused = (error: unknown): boolean => error instanceof KvError && error.code === "DATA_CORRUPT";
    const empty = new LogFixture();
    assert.throws(() => empty.open({ whenMissing: "refuse" }), isRefused);
    for (const content of [Buffer.alloc(0), Buffer.alloc(4096), Buffer.alloc(300, 0x5a)]) {
      const fixture = new LogFixture();
      fixture.disk.place(`${LOG_DIRECTORY}/0000000000000001.log`, content);
      assert.throws(() => fixture.open({ whenMissing: "refuse" }), isRefused);
      assert.deepEqual(fixture.disk.content(`${LOG_DIRECTORY}/0000000000000001.log`), content, "the file is kept");
    }
  });

  test("a log of a newer format is refused and left as it is", () => {
    const written = writeLog();
    const path = segmentFiles(written.disk)[0] ?? "";
    const newer = Buffer.from(written.disk.content(path));
    newer.writeUInt32LE(2, 8);
    const fixture = new LogFixture({ disk: written.disk });
    const isRefused = (error: unknown): boolean => error instanceof KvError && error.code === "UNKNOWN_FORMAT";
    written.disk.place(path, withHeaderChecksum(newer));
    written.disk.crash();
    assert.throws(() => fixture.open(), isRefused);
  });
});

/** Repairs the checksum of a header that was changed on purpose, in a copy of a segment's content. */
function withHeaderChecksum(content: Buffer): Buffer {
  const length = content.readUInt32LE(12);
  content.writeUInt32LE(crc32(content.subarray(0, length - 4)), length - 4);
  return content;
}
