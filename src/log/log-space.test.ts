import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { LogFixture, readAll } from "../../tests/support/log-fixture.ts";
import { proveCaught } from "../../tests/support/prove-caught.ts";

/** Writes until there is no room; returns all entries. */
function fillDisk(fixture: LogFixture): Buffer[] {
  const written: Buffer[] = [];
  for (let i = 0; i < 2000; i++) {
    for (let wait = 0; wait < 20 && fixture.log.roomFor(400) === "preparing"; wait++) fixture.timers.advance(1);
    if (fixture.log.roomFor(400) !== "yes") return written;
    written.push(...fixture.write(1, 300));
  }
  assert.fail("the disk never got full");
}

function checkFullDisk(): void {
  const fixture = new LogFixture();
  fixture.disk.faults.capacityBytes = 200_000;
  fixture.open();
  const written = fillDisk(fixture);
  assert.ok(written.length > 50, "there was room for a while");
  assert.equal(fixture.log.roomFor(400), "full");
  assert.ok(fixture.log.roomAheadBytes < 400);
  assert.equal(fixture.log.lastSequence, written.length, "a refused write left nothing behind");
  assert.deepEqual(fixture.fatal, [], "a full disk is not fatal");
  assert.deepEqual(readAll(fixture.log), written, "reads go on");
  let wasTold = false;
  fixture.log.whenRoomChanges(() => {
    wasTold = true;
  });
  fixture.timers.advance(20_000);
  assert.equal(fixture.log.roomFor(400), "full");
  fixture.disk.faults.capacityBytes = 400_000;
  fixture.timers.advance(10_000);
  assert.ok(wasTold, "who waits for room is called");
  assert.ok(fixture.log.roomAheadBytes > 400);
  assert.equal(fixture.log.roomFor(400), "yes", "without a restart");
  written.push(...fixture.write(1, 300));
  fixture.flush();
  fixture.powerCut();
  assert.deepEqual(readAll(fixture.log), written);
}

describe("a log on a full disk", () => {
  test("says no before anything is appended, and goes on by itself when space returns (S4)", () => {
    checkFullDisk();
  });

  test("that check notices space that is looked at after the append (M66)", () => {
    proveCaught("M66", checkFullDisk);
  });

  test("trimming gives the space back", () => {
    const fixture = new LogFixture();
    fixture.disk.faults.capacityBytes = 100_000;
    fixture.open();
    fillDisk(fixture);
    fixture.flush();
    fixture.log.trimThrough(fixture.log.lastSequence);
    fixture.timers.advance(10);
    assert.equal(fixture.log.roomFor(400), "yes");
  });

  test("a segment never takes more than an eighth of the free space", () => {
    const fixture = new LogFixture({
      sizes: { segmentBytesFirst: 65_536, segmentBytesMax: 1_048_576, tailBytesMax: 0 },
    });
    fixture.disk.faults.capacityBytes = 1_000_000;
    fixture.open();
    let freeBytes = fixture.disk.freeBytes();
    for (let i = 0; i < 2000; i++) {
      if (fixture.log.roomFor(400) === "full") break;
      fixture.write(1, 300);
      fixture.timers.advance(1);
      const leftBytes = fixture.disk.freeBytes();
      assert.ok(freeBytes - leftBytes <= freeBytes / 8, `${freeBytes - leftBytes} of ${freeBytes} bytes were taken`);
      freeBytes = leftBytes;
    }
    assert.ok(freeBytes > 0);
    assert.ok(fixture.log.fullSegments.length > 3);
  });

  test("an entry that is too large for the free space is refused, smaller ones are not", () => {
    const fixture = new LogFixture();
    fixture.disk.faults.capacityBytes = 200_000;
    fixture.open();
    assert.equal(fixture.log.roomFor(100_000), "full");
    assert.equal(fixture.log.roomFor(400), "yes");
    fixture.write(1);
    while (fixture.log.roomFor(400) === "yes" && fixture.log.fullSegments.length === 0) fixture.write(1, 300);
    assert.deepEqual(fixture.fatal, []);
    assert.equal(fixture.log.lastSequence > 5, true);
  });

  test("a segment that cannot be made for another reason is tried again", () => {
    const fixture = new LogFixture();
    fixture.open();
    const { disk } = fixture;
    const createZeroed = disk.createZeroed.bind(disk);
    let failuresLeft = 3;
    disk.createZeroed = (path, sizeBytes, done) => {
      if (failuresLeft-- > 0) fixture.timers.soon(() => done(Object.assign(new Error("EIO"), { code: "EIO" }), null));
      else createZeroed(path, sizeBytes, done);
    };
    assert.equal(fixture.log.roomFor(10_000), "preparing");
    fixture.timers.advance(0);
    assert.equal(fixture.log.roomFor(10_000), "full");
    fixture.timers.advance(5000);
    assert.equal(fixture.log.roomFor(10_000), "yes");
    assert.deepEqual(fixture.fatal, []);
  });
});
