import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { KvError } from "../model/errors.ts";
import { BodyReader } from "./body-reader.ts";
import { ByteBudget } from "./byte-budget.ts";
import { DEFAULT_HTTP_SETTINGS } from "./settings.ts";

const MIB = 1_048_576;
const CHUNK = Buffer.alloc(65_536);

interface Reading {
  readonly reader: BodyReader;
  readonly outcomes: (Buffer | KvError)[];
}

function begin(budget: ByteBudget, byteCount: number): Reading {
  const outcomes: (Buffer | KvError)[] = [];
  const order = { bytesMax: 16 * MIB, byteCount, discard: false };
  const reader = new BodyReader(order, budget, (outcome) => outcomes.push(outcome));
  reader.take(CHUNK);
  return { reader, outcomes };
}

function codeOf({ outcomes }: Reading): string | null {
  const [outcome] = outcomes;
  return outcome instanceof KvError ? outcome.code : null;
}

function readRest({ reader }: Reading): void {
  for (let bytes = reader.missingByteCount; bytes > 0; bytes -= CHUNK.length) reader.take(CHUNK);
  reader.end();
}

describe("a reader of large bodies", () => {
  test("refuses at its beginning what does not fit, so that those which began before come to their end", () => {
    const budget = new ByteBudget(4 * MIB);
    const first = begin(budget, 2 * MIB);
    const second = begin(budget, 2 * MIB);
    const third = begin(budget, 2 * MIB);
    assert.deepEqual([first, second, third].map(codeOf), [null, null, "OVERLOADED"]);
    for (const reading of [first, second]) {
      readRest(reading);
      assert.ok(Buffer.isBuffer(reading.outcomes[0]));
    }
    for (const { reader } of [first, second, third]) reader.release();
    assert.equal(budget.bytesTaken, 0);
  });

  test("gives back what a slow body has not used, and goes on with it", () => {
    const budget = new ByteBudget(3 * MIB);
    const slow = begin(budget, 2 * MIB);
    assert.equal(codeOf(begin(budget, 2 * MIB)), "OVERLOADED");
    for (let sweeps = 0; sweeps < DEFAULT_HTTP_SETTINGS.bodyPeriodSweeps; sweeps++) {
      slow.reader.sweep(DEFAULT_HTTP_SETTINGS);
    }
    assert.equal(budget.bytesTaken, CHUNK.length);
    assert.equal(codeOf(begin(budget, 2 * MIB)), null);
    readRest(slow);
    assert.equal(codeOf(slow), "OVERLOADED", "there is not room for both in the end");
    slow.reader.release();
    assert.equal(budget.bytesTaken, 2 * MIB);
  });

  test("takes small ones as they arrive", () => {
    const budget = new ByteBudget(4 * MIB);
    begin(budget, 500_000);
    assert.equal(budget.bytesTaken, CHUNK.length);
  });
});
