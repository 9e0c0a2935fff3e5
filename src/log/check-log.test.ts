import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { LOG_DIRECTORY, LogFixture } from "../../tests/support/log-fixture.ts";
import { checkLog } from "./check-log.ts";

const FIRST = `${LOG_DIRECTORY}/0000000000000001.log`;

function writtenLog(): { fixture: LogFixture; entries: Buffer[] } {
  const fixture = new LogFixture();
  fixture.open();
  const entries: Buffer[] = [];
  for (let i = 0; i < 20; i++) {
    entries.push(...fixture.write(3, 200));
    fixture.flush();
  }
  return { fixture, entries };
}

describe("checking a log's directory", () => {
  test("a sound log has no findings, and is counted", () => {
    const { fixture, entries } = writtenLog();
    fixture.disk.crash();
    const writes = fixture.disk.writeCount;
    const check = checkLog(fixture.disk, LOG_DIRECTORY);
    assert.deepEqual(check.findings, []);
    assert.equal(check.entryCount, 60);
    assert.equal(check.entryBytes, Buffer.concat(entries).length);
    assert.equal(check.startSequence, 1);
    assert.equal(check.lastSequence, 60);
    assert.equal(check.lastEpoch, 1);
    assert.equal(check.commitSequence, 57);
    assert.ok(check.segmentCount > 1);
    assert.equal(fixture.disk.writeCount, writes, "nothing was written");
  });

  test("damage to what was flushed is an error with file and offset", () => {
    const { fixture, entries } = writtenLog();
    const offset = fixture.disk.content(FIRST).indexOf(entries[4] ?? "");
    fixture.disk.flipBit(FIRST, offset + 40, 1);
    const { findings, lastSequence } = checkLog(fixture.disk, LOG_DIRECTORY);
    assert.equal(lastSequence, 4);
    assert.equal(findings.length, 1);
    assert.equal(findings[0]?.severity, "error");
    assert.equal(findings[0]?.file, FIRST);
    assert.equal(findings[0]?.offset, offset);
    assert.match(findings[0]?.detail ?? "", /had been flushed/);
  });

  test("a torn end is a warning", () => {
    const { fixture } = writtenLog();
    fixture.write(2, 100);
    fixture.timers.clear();
    const path =
      fixture.disk
        .list(LOG_DIRECTORY)
        .filter((name) => /^\d+\.log$/.test(name))
        .at(-1) ?? "";
    const content = fixture.disk.content(`${LOG_DIRECTORY}/${path}`);
    const last = fixture.log.read(62, 1000).bytes;
    fixture.disk.flipBit(`${LOG_DIRECTORY}/${path}`, content.indexOf(last) + 50, 1);
    const { findings, lastSequence } = checkLog(fixture.disk, LOG_DIRECTORY);
    assert.equal(lastSequence, 61);
    assert.deepEqual(
      findings.map(({ severity }) => severity),
      ["warning"],
    );
  });

  test("a damaged header is a warning while its copy is whole", () => {
    const { fixture } = writtenLog();
    const { length } = fixture.disk.content(FIRST);
    fixture.disk.flipBit(FIRST, 20, 1);
    const front = checkLog(fixture.disk, LOG_DIRECTORY);
    assert.equal(front.lastSequence, 60);
    assert.match(front.findings[0]?.detail ?? "", /header is damaged/);
    fixture.disk.flipBit(FIRST, 20, 1);
    fixture.disk.flipBit(FIRST, length - 20, 1);
    const back = checkLog(fixture.disk, LOG_DIRECTORY);
    assert.match(back.findings[0]?.detail ?? "", /copy at the end/);
    assert.equal(fixture.crash().corruption, null);
  });

  test("a directory without a log has no segments", () => {
    const check = checkLog(new LogFixture().disk, "/elsewhere");
    assert.equal(check.segmentCount, 0);
    assert.equal(check.lastSequence, 0);
  });
});
