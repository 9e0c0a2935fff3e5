import assert from "node:assert/strict";
import { test } from "node:test";
import { LogFixture, splitEntries } from "../../tests/support/log-fixture.ts";
import { decodeEntry } from "../model/entry.ts";
import { DiscardedEntries, discardedFiles, readDiscarded } from "./discarded-entries.ts";

const DIRECTORY = "/node";

test("what is cut from a log can be listed afterwards, decoded", () => {
  const fixture = new LogFixture();
  fixture.open();
  fixture.write(20, 100);
  fixture.flush();
  const discarded = new DiscardedEntries(fixture.disk, DIRECTORY, fixture.timers);
  assert.equal(discarded.file, null);
  const first = fixture.log.truncateAfter(12, (cut) => discarded.keep(cut));
  const second = fixture.log.truncateAfter(7, (cut) => discarded.keep(cut));
  fixture.powerCut();
  const { file } = discarded;
  assert.match(file ?? "", /^\/node\/discarded-1-\d{8}T\d{6}Z\.log$/);
  const { entries, damage } = readDiscarded(fixture.disk, file ?? "");
  assert.equal(damage, null);
  const decoded = [...splitEntries(first), ...splitEntries(second)].map((bytes) => {
    const { lengthBytes: _, ...entry } = decodeEntry(bytes);
    return entry;
  });
  assert.deepEqual(entries, decoded);
});

test("later cuts go to files of their own, and the newest is named", () => {
  const fixture = new LogFixture();
  fixture.open();
  fixture.write(9);
  const discarded = new DiscardedEntries(fixture.disk, DIRECTORY, fixture.timers);
  discarded.keep(fixture.log.read(8, 1000).bytes);
  fixture.timers.advance(2000);
  discarded.keep(fixture.log.read(1, 1000).bytes);
  discarded.keep(Buffer.alloc(0));
  const files = discardedFiles(fixture.disk, DIRECTORY);
  assert.equal(files.length, 2);
  assert.equal(discarded.file, files[1]);
});

test("a damaged file is listed as far as it is whole", () => {
  const fixture = new LogFixture();
  fixture.open();
  fixture.write(5);
  const discarded = new DiscardedEntries(fixture.disk, DIRECTORY, fixture.timers);
  discarded.keep(fixture.log.read(1, 10_000).bytes);
  const path = discarded.file ?? "";
  const content = fixture.disk.content(path);
  fixture.disk.place(path, content.subarray(0, -3));
  const cut = readDiscarded(fixture.disk, path);
  assert.deepEqual(
    cut.entries.map(({ sequence }) => sequence),
    [1, 2, 3, 4],
  );
  assert.match(cut.damage ?? "", /behind entry 4/);
  fixture.disk.place(path, Buffer.concat([content, Buffer.from("rubbish")]));
  assert.match(readDiscarded(fixture.disk, path).damage ?? "", /no block/);
});
