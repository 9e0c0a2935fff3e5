import assert from "node:assert/strict";
import { mkdtempSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, describe, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { EntryBatch } from "./entry-batch.ts";
import { dataEntry, epochStartEntry, readAll, sequencesOf } from "../../tests/support/log-fixture.ts";
import { SimDisk } from "../../tests/support/sim-disk.ts";
import type { Disk } from "../base/disk.ts";
import { silentLogger } from "../base/logger.ts";
import { NodeDisk } from "../base/node-disk.ts";
import { SystemRandom } from "../base/random.ts";
import { SystemClock } from "../base/system-clock.ts";
import { checkLog } from "./check-log.ts";
import { LogReader } from "./log-reader.ts";
import { SegmentedLog } from "./segmented-log.ts";

const clock = new SystemClock();
const sizes = { segmentBytesFirst: 8192, segmentBytesMax: 32_768, tailBytesMax: 4096 };

function open(disk: Disk, directory: string): SegmentedLog {
  const { log, recovery } = SegmentedLog.open({
    disk,
    directory,
    timers: clock,
    random: new SystemRandom(),
    logger: silentLogger,
    sizes,
    whenMissing: "create",
    onCutEnd: ({ detail }) => assert.fail(detail),
    onFatal: (error) => assert.fail(error),
  });
  assert.equal(recovery.corruption, null);
  return log;
}

async function roomFor(log: SegmentedLog, bytes: number): Promise<void> {
  while (log.roomFor(bytes) !== "yes") {
    const changed = Promise.withResolvers<void>();
    log.whenRoomChanges(changed.resolve);
    await changed.promise;
  }
}

async function write(log: SegmentedLog, count: number, valueBytes: number): Promise<Buffer[]> {
  const entries = Array.from({ length: count }, (_, index) => {
    const sequence = log.lastSequence + 1 + index;
    return sequence === 1 ? epochStartEntry(1, 1) : dataEntry(sequence, 1, { bytes: valueBytes });
  });
  await roomFor(
    log,
    entries.reduce((sum, entry) => sum + entry.length, 0),
  );
  log.writeBatch(EntryBatch.of(entries), { flushedSequence: log.durableSequence, commitSequence: log.durableSequence });
  return entries;
}

async function flush(log: SegmentedLog): Promise<number> {
  const { promise, resolve } = Promise.withResolvers<number>();
  log.flush(resolve);
  return promise;
}

/** What both disks must do for the log; the simulated one is only worth something while it behaves like the real one. */
function contract(name: string, makePlace: () => { readonly disk: Disk; readonly directory: string }): void {
  describe(`a log on ${name}`, () => {
    test("is written over many segments, flushed, and found again", async () => {
      const { disk, directory } = makePlace();
      const log = open(disk, directory);
      const written: Buffer[] = [];
      for (let i = 0; i < 60; i++) {
        written.push(...(await write(log, 1 + (i % 7), 30 * (i % 20))));
        if (i % 3 === 0) assert.equal(await flush(log), written.length);
      }
      assert.equal(await flush(log), written.length);
      assert.ok(log.fullSegments.length > 2);
      assert.deepEqual(readAll(log), written);
      const reader = new LogReader(disk, directory);
      assert.equal([...reader.read(1, written.length)].length, written.length);
      reader.close();
      log.close();
      assert.deepEqual(checkLog(disk, directory).findings, []);
      const again = open(disk, directory);
      assert.deepEqual(readAll(again), written);
      again.close();
    });

    test("is cut, trimmed and restarted", async () => {
      const { disk, directory } = makePlace();
      const log = open(disk, directory);
      const written: Buffer[] = [];
      for (let i = 0; i < 40; i++) written.push(...(await write(log, 5, 150)));
      await flush(log);
      const cut = log.truncateAfter(120);
      assert.deepEqual(cut, Buffer.concat(written.slice(120)));
      const more = await write(log, 10, 300);
      await flush(log);
      log.trimThrough(60);
      assert.ok(log.startSequence > 1);
      while (disk.list(directory).some((file) => file.startsWith("trimmed"))) await sleep(2);
      log.close();
      const again = open(disk, directory);
      assert.equal(again.startSequence, log.startSequence);
      assert.deepEqual(readAll(again), [...written.slice(0, 120), ...more].slice(again.startSequence - 1));
      again.restart({ sequence: 500, epochs: again.epochs });
      await write(again, 3, 10);
      await flush(again);
      again.close();
      const restarted = open(disk, directory);
      assert.deepEqual(sequencesOf(readAll(restarted)), [501, 502, 503]);
      assert.equal(restarted.lastEpoch.epoch, 1);
      restarted.close();
    });

    test("replaces, appends, lists and removes small files", () => {
      const { disk, directory } = makePlace();
      disk.makeDirectory(directory);
      const path = join(directory, "file");
      assert.equal(disk.readFile(path), null);
      disk.replaceFile(path, Buffer.from("one"));
      disk.replaceFile(path, Buffer.from("two"));
      disk.appendFile(path, Buffer.from(" three"));
      disk.appendFile(join(directory, "another"), Buffer.from("x"));
      assert.equal(disk.readFile(path)?.toString(), "two three");
      const list = (): string[] => disk.list(directory).filter((file) => file !== "file.new");
      assert.deepEqual(list(), ["another", "file"]);
      disk.rename(path, join(directory, "renamed"));
      disk.flushDirectory(directory);
      disk.remove(join(directory, "another"));
      disk.remove(join(directory, "another"));
      assert.deepEqual(list(), ["renamed"]);
      assert.deepEqual(disk.list(join(directory, "nowhere")), []);
      assert.throws(() => disk.open(join(directory, "nowhere")), { code: "ENOENT" });
      assert.ok(disk.freeBytes(directory) > 0);
    });

    test("makes zeroed files, in the background too, and cuts and extends them", async () => {
      const { disk, directory } = makePlace();
      disk.makeDirectory(directory);
      const path = join(directory, "zeroed");
      const file = await new Promise<ReturnType<Disk["open"]> | null>((resolve, reject) => {
        let isLater = false;
        disk.createZeroed(path, 3_000_000, (error, made) => {
          assert.ok(isLater, "callbacks never run within the call");
          if (error === null) resolve(made);
          else reject(error);
        });
        isLater = true;
      });
      assert.ok(file !== null);
      assert.equal(file.sizeBytes, 3_000_000);
      file.write(Buffer.from("abcdef"), 2_999_990);
      file.truncate(2_999_993);
      file.writeZeros(2_999_991, 4);
      const target = Buffer.alloc(10, 1);
      assert.equal(file.read(target, 2_999_988), 7);
      assert.deepEqual(target, Buffer.from([0, 0, 97, 0, 0, 0, 0, 1, 1, 1]));
      const flushed = Promise.withResolvers<Error | null>();
      file.flush(flushed.resolve);
      file.close();
      assert.equal(await flushed.promise, null, "a flush that runs is not cut off by closing");
      await new Promise<void>((resolve, reject) => {
        disk.removeInBackground(path, (error) => (error === null ? resolve() : reject(error)));
      });
      assert.deepEqual(disk.list(directory), []);
    });
  });
}

const root = mkdtempSync(join(tmpdir(), "kv-log-"));
let count = 0;

contract("a simulated disk", () => ({ disk: new SimDisk(clock), directory: "/data/log" }));
contract("the machine's disk", () => ({ disk: new NodeDisk(), directory: join(root, String(count++), "deep", "log") }));

test("files of the log are for their owner only", async () => {
  const directory = join(root, "modes");
  const log = open(new NodeDisk(), directory);
  await write(log, 1, 10);
  log.close();
  assert.equal(statSync(directory).mode & 0o777, 0o700);
  assert.equal(statSync(join(directory, "0000000000000001.log")).mode & 0o777, 0o600);
});

after(() => rmSync(root, { recursive: true }));
