import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { SeededRandom } from "../../src/base/random.ts";
import { ManualTimers } from "./manual-timers.ts";
import { SimCrashError, SimDisk } from "./sim-disk.ts";

function newDisk(seed = 1): { disk: SimDisk; timers: ManualTimers } {
  const timers = new ManualTimers();
  return { disk: new SimDisk(timers, new SeededRandom(seed)), timers };
}

/** What a file of 100 flushed `a` and 100 unflushed `b` behind them holds after a power cut, over many seeds. */
function remainders(): Buffer[] {
  return Array.from({ length: 300 }, (_, seed) => {
    const { disk } = newDisk(seed);
    const file = disk.createZeroedNow("/d/f", 200);
    file.write(Buffer.alloc(100, "a"), 0);
    file.flushNow();
    file.write(Buffer.alloc(100, "b"), 100);
    disk.powerCut();
    return disk.content("/d/f");
  });
}

describe("a simulated disk", () => {
  test("keeps what was written through a crash, and only what was flushed for sure through a power cut", () => {
    const { disk } = newDisk();
    const file = disk.createZeroedNow("/d/f", 10);
    file.write(Buffer.from("abc"), 2);
    disk.crash();
    assert.deepEqual(disk.content("/d/f"), Buffer.from("\0\0abc\0\0\0\0\0"));
    const found = remainders();
    assert.ok(found.every((content) => content.subarray(0, 100).equals(Buffer.alloc(100, "a"))));
    const kept = found.map((content) => content.filter((byte) => byte === 98).length);
    assert.ok(
      kept.some((count) => count === 0),
      "the write is lost",
    );
    assert.ok(
      kept.some((count) => count === 100),
      "the write is there",
    );
    assert.ok(
      kept.some((count) => count > 0 && count < 100),
      "the write is torn",
    );
  });

  test("loses a later write or an earlier one", () => {
    const seen = new Set<string>();
    for (let seed = 0; seed < 200; seed++) {
      const { disk } = newDisk(seed);
      const file = disk.createZeroedNow("/d/f", 2);
      file.write(Buffer.from("1"), 0);
      file.write(Buffer.from("2"), 1);
      disk.powerCut();
      seen.add(disk.content("/d/f").toString());
    }
    assert.deepEqual([...seen].sort(), ["\0\0", "\x002", "1\0", "12"]);
  });

  test("may lose a file whose directory was not flushed, or give it either name", () => {
    const names = new Set<string>();
    for (let seed = 0; seed < 100; seed++) {
      const { disk } = newDisk(seed);
      disk.createZeroedNow("/d/old", 1);
      disk.rename("/d/old", "/d/new");
      disk.powerCut();
      names.add(disk.list("/d").join());
    }
    assert.deepEqual([...names].sort(), ["new", "old"]);
    const { disk } = newDisk();
    disk.createZeroedNow("/d/old", 1);
    disk.rename("/d/old", "/d/new");
    disk.flushDirectory("/d");
    disk.powerCut();
    assert.deepEqual(disk.list("/d"), ["new"]);
  });

  test("after a failed flush the pages count as clean: a second flush succeeds and saves nothing", () => {
    const { disk } = newDisk();
    const file = disk.createZeroedNow("/d/f", 3);
    file.write(Buffer.from("abc"), 0);
    disk.faults.flush = () => "EIO";
    assert.throws(() => file.flushNow(), { code: "EIO" });
    disk.faults.flush = null;
    file.flushNow();
    assert.equal(disk.content("/d/f").toString(), "abc");
    disk.powerCut();
    assert.equal(disk.content("/d/f").toString(), "\0\0\0");
  });

  test("a flush in the background covers what was written before it, when its time has come", () => {
    const { disk, timers } = newDisk();
    disk.faults.flushMs = () => 10;
    const file = disk.createZeroedNow("/d/f", 2);
    file.write(Buffer.from("1"), 0);
    let isDone = false;
    file.flush((error) => {
      isDone = error === null;
    });
    file.write(Buffer.from("2"), 1);
    timers.advance(9);
    assert.equal(isDone, false);
    timers.advance(1);
    assert.equal(isDone, true);
    disk.powerCut();
    assert.equal(disk.content("/d/f")[0], 49);
  });

  test("the files and callbacks of a dead process are dead", () => {
    const { disk, timers } = newDisk();
    const file = disk.createZeroedNow("/d/f", 2);
    file.flush(() => assert.fail("this process is dead"));
    disk.createZeroed("/d/g", 2, () => assert.fail("this process is dead"));
    disk.crash();
    timers.advance(100);
    assert.throws(() => file.write(Buffer.from("1"), 0), /dead process/);
  });

  test("a process can die before any change it makes", () => {
    for (let changes = 0; changes < 4; changes++) {
      const { disk } = newDisk();
      disk.crashAfterChanges(changes);
      assert.throws(() => {
        const file = disk.createZeroedNow("/d/f", 2);
        file.write(Buffer.from("1"), 0);
        file.flushNow();
      }, SimCrashError);
      assert.throws(() => disk.flushDirectory("/d"), SimCrashError, "it stays dead");
      disk.crash();
      disk.flushDirectory("/d");
    }
  });

  test("is full when it is full, and not any more when space returns", () => {
    const { disk, timers } = newDisk();
    disk.faults.capacityBytes = 1000;
    disk.createZeroedNow("/d/f", 600);
    assert.equal(disk.freeBytes(), 400);
    assert.throws(() => disk.createZeroedNow("/d/g", 401), { code: "ENOSPC" });
    let code = "";
    disk.createZeroed("/d/g", 401, (error) => {
      code = error !== null && "code" in error ? String(error.code) : "none";
    });
    timers.advance(1);
    assert.equal(code, "ENOSPC");
    disk.faults.fillerBytes = 300;
    assert.equal(disk.freeBytes(), 100);
    disk.remove("/d/f");
    assert.equal(disk.freeBytes(), 700);
  });

  test("can be wiped, swapped and copied", () => {
    const { disk } = newDisk();
    disk.place("/a/f", Buffer.from("a"));
    disk.place("/b/f", Buffer.from("b"));
    const copy = disk.clone();
    disk.swap("/a", "/b");
    assert.equal(disk.content("/a/f").toString(), "b");
    disk.wipe("/a");
    disk.powerCut();
    assert.deepEqual(disk.list("/a"), []);
    assert.equal(copy.content("/a/f").toString(), "a");
  });

  test("is copied with the changes of directories that are still to be flushed, and wiped without them", () => {
    const { disk, timers } = newDisk();
    disk.place("/a/log/kept", Buffer.from("kept"));
    disk.place("/a/log/gone", Buffer.from("gone"));
    disk.faults.flushMs = () => 5;
    disk.removeInBackground("/a/log/gone", () => {});
    const copy = disk.clone();
    copy.flushDirectory("/a/log");
    copy.powerCut();
    assert.deepEqual(copy.list("/a/log"), ["kept"]);
    disk.rename("/a/log/kept", "/a/log/renamed");
    disk.wipe("/a");
    disk.flushDirectory("/a/log");
    disk.powerCut();
    timers.advance(10);
    assert.deepEqual(disk.list("/a/log"), []);
  });

  test("does the same again with the same seed", () => {
    assert.deepEqual(remainders(), remainders());
  });
});
