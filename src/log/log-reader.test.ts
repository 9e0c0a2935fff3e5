import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { LOG_DIRECTORY, LogFixture } from "../../tests/support/log-fixture.ts";
import { KvError } from "../model/errors.ts";
import { LogReader } from "./log-reader.ts";

function sequences(reader: LogReader, from: number, through: number): number[] {
  return [...reader.read(from, through)].map(({ sequence }) => sequence);
}

function range(from: number, through: number): number[] {
  return Array.from({ length: through - from + 1 }, (_, index) => from + index);
}

describe("a reader of the log's files", () => {
  test("follows the log over its segments, from call to call", () => {
    const fixture = new LogFixture();
    fixture.open();
    const reader = new LogReader(fixture.disk, LOG_DIRECTORY);
    let from = 1;
    for (let i = 0; i < 60; i++) {
      fixture.write(1 + (i % 4), 10 + 20 * i);
      const through = fixture.log.lastSequence - (i % 2);
      assert.deepEqual(sequences(reader, from, through), range(from, through));
      from = through + 1;
    }
    assert.ok(fixture.log.fullSegments.length > 5);
    assert.deepEqual(sequences(reader, 1, from - 1), range(1, from - 1), "from the beginning again");
    assert.deepEqual(sequences(reader, 30, 40), range(30, 40));
    assert.deepEqual(sequences(reader, 9, 8), []);
  });

  test("decodes what was written", () => {
    const fixture = new LogFixture();
    fixture.open();
    fixture.write(2, 5);
    const [start, data] = [...new LogReader(fixture.disk, LOG_DIRECTORY).read(1, 2)];
    assert.equal(start?.body.kind, "epochStart");
    assert.deepEqual(data?.body, {
      kind: "data",
      mutations: [{ space: 0, key: "k2", value: Buffer.alloc(5, 2), expiryMs: 0, contentType: "" }],
    });
  });

  test("does not keep what it saw behind its end: that may have been cut and written anew", () => {
    const fixture = new LogFixture();
    fixture.open();
    const reader = new LogReader(fixture.disk, LOG_DIRECTORY);
    fixture.write(10, 50);
    fixture.flush();
    assert.deepEqual(sequences(reader, 1, 4), range(1, 4));
    fixture.log.truncateAfter(4);
    fixture.write(3, 77);
    const values = [...reader.read(5, 7)].map(({ body }) =>
      body.kind === "data" ? body.mutations[0]?.value?.length : -1,
    );
    assert.deepEqual(values, [77, 77, 77]);
  });

  test("finds its place although what came before was trimmed", () => {
    const fixture = new LogFixture();
    fixture.open();
    for (let i = 0; i < 30; i++) fixture.write(3, 200);
    fixture.flush();
    const reader = new LogReader(fixture.disk, LOG_DIRECTORY);
    assert.deepEqual(sequences(reader, 1, 20), range(1, 20));
    fixture.log.trimThrough(60);
    fixture.timers.advance(10);
    const { startSequence } = fixture.log;
    assert.ok(startSequence > 30);
    assert.deepEqual(sequences(reader, startSequence, 90), range(startSequence, 90));
    assert.deepEqual(sequences(new LogReader(fixture.disk, LOG_DIRECTORY), 90, 90), [90]);
  });

  test("goes on in the next segment whatever lies behind the last batch", () => {
    const fixture = new LogFixture();
    fixture.open();
    for (let i = 0; i < 30; i++) fixture.write(3, 200);
    fixture.flush();
    const path = `${LOG_DIRECTORY}/0000000000000001.log`;
    const end = fixture.disk.content(path).lastIndexOf(Buffer.alloc(200));
    fixture.disk.flipBit(path, end + 199, 0);
    assert.deepEqual(sequences(new LogReader(fixture.disk, LOG_DIRECTORY), 1, 90), range(1, 90));
    assert.equal(fixture.crash().corruption, null);
    assert.equal(fixture.log.lastSequence, 90);
  });

  test("says so when an entry is not there", () => {
    const fixture = new LogFixture();
    fixture.open();
    for (let i = 0; i < 30; i++) fixture.write(3, 200);
    fixture.flush();
    fixture.log.trimThrough(60);
    fixture.timers.advance(10);
    const isMissing = (error: unknown): boolean => error instanceof KvError && error.code === "DATA_CORRUPT";
    const reader = new LogReader(fixture.disk, LOG_DIRECTORY);
    assert.throws(() => sequences(reader, 3, 5), isMissing);
    assert.throws(() => sequences(reader, 90, 91), isMissing);
  });

  test("starts anew after a restart of the log", () => {
    const fixture = new LogFixture();
    fixture.open();
    fixture.write(10, 50);
    const reader = new LogReader(fixture.disk, LOG_DIRECTORY);
    assert.deepEqual(sequences(reader, 1, 10), range(1, 10));
    fixture.log.restart({ sequence: 3, epochs: [] });
    reader.reset();
    fixture.write(4, 50);
    assert.deepEqual(sequences(reader, 4, 7), range(4, 7));
  });
});
