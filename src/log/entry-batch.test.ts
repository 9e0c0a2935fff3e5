import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { dataEntry, epochStartEntry } from "../../tests/support/log-fixture.ts";
import { decodeEntry } from "../model/entry.ts";
import { EntryBatch } from "./entry-batch.ts";
import { BATCH_HEADER_BYTES } from "./segment-format.ts";

const START = epochStartEntry(4, 2);
const ENTRIES = [
  dataEntry(3, 1, { bytes: 20 }),
  START,
  dataEntry(5, 2, { bytes: 3000 }),
  dataEntry(6, 2, { bytes: 0 }),
];

describe("a batch of entries", () => {
  test("has the bytes of its entries behind the header's room, whether encoded here or before", () => {
    const encoded = EntryBatch.of(ENTRIES);
    const written = new EntryBatch();
    for (const entry of ENTRIES) written.add(decodeEntry(entry));
    for (const batch of [encoded, written]) {
      assert.deepEqual(batch.bytes.subarray(BATCH_HEADER_BYTES), Buffer.concat(ENTRIES));
      assert.deepEqual([batch.firstSequence, batch.lastSequence, batch.firstEpoch, batch.isEmpty], [3, 6, 1, false]);
      assert.equal(batch.entryBytes, Buffer.concat(ENTRIES).length);
      assert.deepEqual(
        batch.marks.map(({ epoch, firstSequence }) => [epoch, firstSequence]),
        [[2, 4]],
      );
    }
  });

  test("keeps no empty room with its bytes", () => {
    const batch = new EntryBatch(100_000);
    batch.addEncoded(START);
    assert.ok(batch.bytes.buffer.byteLength < 100_000);
  });

  test("takes no entry out of order, none of an epoch that falls or lacks its start, and none that is not whole", () => {
    const faults = [
      [ENTRIES[0], dataEntry(5, 1, { bytes: 1 })],
      [START, dataEntry(5, 1, { bytes: 1 })],
      [ENTRIES[0], dataEntry(4, 2, { bytes: 1 })],
      [Buffer.concat([START, START])],
    ];
    for (const fault of faults) {
      assert.throws(() => EntryBatch.of(fault.flatMap((entry) => entry ?? [])), /Broken invariant/);
    }
  });
});
