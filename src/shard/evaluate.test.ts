import assert from "node:assert/strict";
import { describe, test } from "node:test";
import fc from "fast-check";
import { proveCaught } from "../../tests/support/prove-caught.ts";
import { SPACE, type Mutation } from "../model/entry.ts";
import { keyOfText } from "../model/key.ts";
import type { Condition, Expiry, KeyOperation, Result, ScanOperation, SetOperation } from "../model/operation.ts";
import { evaluate, type Evaluation, type EvaluationState } from "./evaluate.ts";

const NOW_MS = 10_000;
const NEXT = 1000;
const MAX = 2n ** 63n - 1n;
const MIN = -(2n ** 63n);

describe("evaluating a get", () => {
  test("answers with the record, depends on the entry that wrote it, and changes nothing", () => {
    const state = stateOf({ k: { text: "v", sequence: 7 } });
    const { result, mutations, saw } = evaluate(get("k"), state);
    assert.equal(result.kind === "value" && result.record.value.toString(), "v");
    assert.deepEqual([mutations, saw], [[], 7]);
  });

  test("of a key that is not there depends on what removed it", () => {
    assert.deepEqual(evaluate(get("k"), stateOf({ k: { text: null, sequence: 5 } })), {
      result: { kind: "absent" },
      mutations: [],
      saw: 5,
    });
    assert.deepEqual(evaluate(get("k"), stateOf({})), { result: { kind: "absent" }, mutations: [], saw: 0 });
  });

  test("of an expired key answers absent and deletes it: what was seen gone stays gone", () => {
    for (const expiryMs of [1, NOW_MS]) {
      const { result, mutations } = evaluate(get("k"), stateOf({ k: { text: "v", expiryMs, sequence: 3 } }));
      assert.deepEqual(result, { kind: "absent" });
      assert.deepEqual(summary(mutations), ["delete k"]);
    }
    const { result, mutations } = evaluate(get("k"), stateOf({ k: { text: "v", expiryMs: NOW_MS + 1 } }));
    assert.equal(result.kind, "value");
    assert.deepEqual(mutations, []);
  });
});

describe("evaluating the usual requests", () => {
  test("comes to the same as in a batch, which goes the long way", () => {
    const conditions: readonly (Condition | null)[] = [
      null,
      { kind: "absent" },
      { kind: "present" },
      { kind: "version", version: 1 },
      { kind: "version", version: 99 },
    ];
    const row = fc.record({
      text: fc.constantFrom("old", "", null),
      sequence: fc.nat({ max: 20 }),
      expiryMs: fc.constantFrom(0, 1, NOW_MS, NOW_MS + 1),
    });
    const expiry = fc.constantFrom<Expiry>({ kind: "none" }, { kind: "keep" }, { kind: "after", ms: 5 });
    const operation = fc.oneof(
      fc.constant(get("k")),
      fc
        .record({ condition: fc.constantFrom(...conditions), returnOld: fc.boolean(), expiry })
        .map((options) => set("k", "new", options)),
    );
    fc.assert(
      fc.property(fc.option(row), operation, (old, one) => {
        const state = stateOf(old === null ? {} : { k: old });
        const usual = evaluate(one, state);
        const long = evaluate({ kind: "batch", operations: [one] }, state);
        assert.deepEqual({ kind: "batch", results: [usual.result] }, long.result);
        assert.deepEqual(usual.mutations, long.mutations);
        assert.equal(usual.saw, long.saw);
      }),
      { numRuns: 300 },
    );
  });
});

describe("evaluating a set", () => {
  test("writes value, content type and the next version, and says whether the key is new", () => {
    const fresh = evaluate(set("k", "v", { contentType: "text/plain" }), stateOf({}));
    assert.deepEqual(fresh.result, { kind: "written", version: NEXT, created: true, old: null });
    assert.deepEqual(fresh.mutations, [
      { space: SPACE.user, key: "k", value: Buffer.from("v"), expiryMs: 0, contentType: "text/plain" },
    ]);
    const replaced = evaluate(set("k", "v"), stateOf({ k: { text: "old", sequence: 4 } }));
    assert.deepEqual(replaced.result, { kind: "written", version: NEXT, created: false, old: null });
    assert.equal(replaced.saw, 4);
  });

  test("that is blind reads nothing: it replaces even a damaged row, alone and in a batch", () => {
    const state = { ...stateOf({}), get: () => assert.fail("nothing is read") };
    const blind = set("k", "v", { isBlind: true });
    const { result, mutations } = evaluate(blind, state);
    assert.deepEqual(result, { kind: "written", version: NEXT, created: false, old: null });
    assert.deepEqual(summary(mutations), ["set k=v"]);
    const inBatch = evaluate({ kind: "batch", operations: [blind] }, state);
    assert.deepEqual([inBatch.result, inBatch.mutations], [{ kind: "batch", results: [result] }, mutations]);
    const conditional = set("k", "v", { isBlind: true, condition: { kind: "absent" } });
    assert.equal(evaluate(conditional, stateOf({ k: { text: "old" } })).result.kind, "not-met");
  });

  test("hands out the old record only when asked to", () => {
    const { result } = evaluate(set("k", "v", { returnOld: true }), stateOf({ k: { text: "old" } }));
    assert.equal(result.kind === "written" && result.old?.value.toString(), "old");
  });

  test("an empty value is a value", () => {
    const { mutations } = evaluate(set("k", ""), stateOf({}));
    assert.deepEqual(summary(mutations), ["set k="]);
  });

  const expiries: readonly (readonly [name: string, expiry: Expiry, old: number | null, expected: number])[] = [
    ["none drops the old one", { kind: "none" }, NOW_MS + 50, 0],
    ["keep keeps the old one", { kind: "keep" }, NOW_MS + 50, NOW_MS + 50],
    ["keep of a key without one", { kind: "keep" }, 0, 0],
    ["keep of a new key", { kind: "keep" }, null, 0],
    ["keep of an expired key, which is a new one", { kind: "keep" }, NOW_MS - 50, 0],
    ["after counts from the leader's now", { kind: "after", ms: 300 }, null, NOW_MS + 300],
    ["at is a moment of the log clock", { kind: "at", ms: NOW_MS + 7 }, null, NOW_MS + 7],
  ];
  for (const [name, expiry, old, expected] of expiries) {
    test(`expiry: ${name}`, () => {
      const state = stateOf(old === null ? {} : { k: { text: "old", expiryMs: old } });
      const { mutations } = evaluate(set("k", "v", { expiry }), state);
      assert.deepEqual(
        mutations.map(({ value, expiryMs }) => [value?.toString(), expiryMs]),
        [["v", expected]],
      );
    });
  }

  test("that expires at once is a delete, so that nothing is ever stored that is already gone", () => {
    for (const expiry of [
      { kind: "at", ms: 5 } as const,
      { kind: "at", ms: NOW_MS } as const,
      { kind: "after", ms: 0 } as const,
    ]) {
      const { result, mutations } = evaluate(set("k", "v", { expiry }), stateOf({ k: { text: "old" } }));
      assert.equal(result.kind, "written");
      assert.deepEqual(summary(mutations), ["delete k"]);
    }
  });
});

describe("conditions", () => {
  const table: readonly (readonly [condition: Condition | null, whenAbsent: boolean, whenAt42: boolean])[] = [
    [null, true, true],
    [{ kind: "absent" }, true, false],
    [{ kind: "present" }, false, true],
    [{ kind: "version", version: 42 }, false, true],
    [{ kind: "version", version: 41 }, false, false],
    [{ kind: "version", version: 0 }, false, false],
  ];
  for (const [condition, whenAbsent, whenAt42] of table) {
    const name = condition === null ? "none" : Object.values(condition).join(" ");
    test(`${name}: ${whenAbsent ? "" : "not "}met by an absent key, ${whenAt42 ? "" : "not "}met by version 42`, () => {
      for (const [isThere, isMet] of [
        [false, whenAbsent],
        [true, whenAt42],
      ] as const) {
        const state = stateOf(isThere ? { k: { text: "old", version: 42, sequence: 9 } } : {});
        const written = evaluate(set("k", "v", { condition }), state);
        assert.equal(written.result.kind, isMet ? "written" : "not-met");
        assert.equal(written.mutations.length, isMet ? 1 : 0);
        // The outcome was read, whatever it is: it depends on the row.
        assert.equal(written.saw, isThere ? 9 : 0);
        const deleted = evaluate({ kind: "delete", key: keyOfText("k"), condition }, state);
        const expected = isThere ? "deleted" : "absent";
        assert.equal(deleted.result.kind, isMet ? expected : "not-met");
        assert.equal(deleted.mutations.length, isMet && isThere ? 1 : 0);
      }
    });
  }

  test("that is not met answers with what is there instead", () => {
    const { result } = evaluate(set("k", "v", { condition: { kind: "absent" } }), stateOf({ k: { text: "old" } }));
    assert.equal(result.kind === "not-met" && result.old?.value.toString(), "old");
    const none = evaluate(set("k", "v", { condition: { kind: "present" } }), stateOf({}));
    assert.deepEqual(none.result, { kind: "not-met", old: null });
  });

  test("see an expired key as absent, and it is deleted even when the write is refused", () => {
    const state = stateOf({ k: { text: "old", version: 42, expiryMs: NOW_MS } });
    const absent = evaluate(set("k", "v", { condition: { kind: "absent" } }), state);
    assert.deepEqual(absent.result, { kind: "written", version: NEXT, created: true, old: null });
    assert.deepEqual(summary(absent.mutations), ["set k=v"]);
    const version = evaluate(set("k", "v", { condition: { kind: "version", version: 42 } }), state);
    assert.deepEqual(version.result, { kind: "not-met", old: null });
    assert.deepEqual(summary(version.mutations), ["delete k"]);
  });
});

describe("evaluating a delete", () => {
  test("deletes what is there, and says so; of nothing it is a read", () => {
    const there = evaluate({ kind: "delete", key: keyOfText("k"), condition: null }, stateOf({ k: { text: "v" } }));
    assert.deepEqual(there.result, { kind: "deleted", version: NEXT });
    assert.deepEqual(summary(there.mutations), ["delete k"]);
    const state = stateOf({ k: { text: null, sequence: 6 } });
    const nothing = evaluate({ kind: "delete", key: keyOfText("k"), condition: null }, state);
    assert.deepEqual(nothing, { result: { kind: "absent" }, mutations: [], saw: 6 });
  });

  test("of an expired key finds nothing, and removes it all the same", () => {
    const state = stateOf({ k: { text: "v", expiryMs: 1 } });
    const { result, mutations } = evaluate({ kind: "delete", key: keyOfText("k"), condition: null }, state);
    assert.deepEqual(result, { kind: "absent" });
    assert.deepEqual(summary(mutations), ["delete k"]);
  });
});

describe("evaluating an increment", () => {
  test("counts from 0 when the key is absent or expired, and loses the old expiry only then", () => {
    for (const rows of [{}, { k: { text: "41", expiryMs: NOW_MS } }]) {
      const { result, mutations } = evaluate(increment("k", 5n), stateOf(rows));
      assert.deepEqual(result, { kind: "incremented", value: 5n, version: NEXT });
      assert.deepEqual(
        mutations.map(({ value, expiryMs }) => [value?.toString(), expiryMs]),
        [["5", 0]],
      );
    }
  });

  test("keeps expiry and content type, and logs the final value (D6)", () => {
    const row = { text: "41", expiryMs: NOW_MS + 9, contentType: "text/plain" };
    const { mutations } = evaluate(increment("k", 1n), stateOf({ k: row }));
    assert.deepEqual(mutations, [
      { space: SPACE.user, key: "k", value: Buffer.from("42"), expiryMs: NOW_MS + 9, contentType: "text/plain" },
    ]);
  });

  test("reaches both ends of 64 bits and stops exactly there", () => {
    const table: readonly (readonly [from: bigint, by: bigint])[] = [
      [MAX - 1n, 1n],
      [MIN + 1n, -1n],
      [MIN, MAX],
      [MAX, MIN],
      [0n, MIN],
      [MAX, 1n],
      [MIN, -1n],
      [MAX, MAX],
      [MIN, MIN],
      [-1n, MIN],
    ];
    for (const [from, by] of table) {
      const { result, mutations } = evaluate(increment("k", by), stateOf({ k: { text: from.toString() } }));
      const sum = from + by;
      if (sum >= MIN && sum <= MAX) {
        assert.deepEqual(result, { kind: "incremented", value: sum, version: NEXT });
        assert.equal(mutations[0]?.value?.toString(), sum.toString());
      } else {
        assert.equal(result.kind === "failed" && result.error.code, "INTEGER_OVERFLOW");
        assert.deepEqual(mutations, []);
      }
    }
  });

  test("refuses whatever is not the one way to write a 64-bit integer, and leaves it as it is", () => {
    const bad = ["", " 1", "1 ", "+1", "01", "-0", "-", "1.0", "1e3", "0x10", "١", "9223372036854775808"];
    for (const text of [...bad, "-9223372036854775809", "1\n", "1\0", "one", "0".repeat(30), "9".repeat(400)]) {
      const { result, mutations, saw } = evaluate(increment("k", 1n), stateOf({ k: { text, sequence: 8 } }));
      assert.equal(result.kind === "failed" && result.error.code, "NOT_AN_INTEGER", JSON.stringify(text));
      assert.deepEqual([mutations, saw], [[], 8]);
    }
    for (const text of ["0", "-1", "9223372036854775807", "-9223372036854775808"]) {
      assert.equal(evaluate(increment("k", 0n), stateOf({ k: { text } })).result.kind, "incremented");
    }
  });

  test("agrees with arbitrary precision for all numbers", () => {
    const number = fc.bigInt({ min: MIN, max: MAX });
    fc.assert(
      fc.property(number, number, (from, by) => {
        const { result } = evaluate(increment("k", by), stateOf({ k: { text: from.toString() } }));
        const fits = from + by >= MIN && from + by <= MAX;
        if (fits) assert.ok(result.kind === "incremented" && result.value === from + by);
        else assert.ok(result.kind === "failed" && result.error.code === "INTEGER_OVERFLOW");
      }),
    );
  });
});

describe("evaluating a batch", () => {
  test("each operation sees those before it, and the last change of a row counts", () => {
    const { result, mutations } = evaluate(
      batch(set("a", "1"), get("a"), increment("a", 4n), increment("n", 2n), remove("a"), get("a"), set("a", "9")),
      stateOf({}),
    );
    assert.deepEqual(outcomes(result), [
      `created @${NEXT}`,
      `"1" @${NEXT}`,
      `5 @${NEXT}`,
      `2 @${NEXT}`,
      `deleted @${NEXT}`,
      "absent",
      `created @${NEXT}`,
    ]);
    assert.deepEqual(summary(mutations), ["set a=9", "set n=2"]);
  });

  test("a condition sees the batch's own version", () => {
    const condition = { kind: "version", version: NEXT } as const;
    const { result } = evaluate(batch(set("a", "1"), set("a", "2", { condition })), stateOf({}));
    assert.deepEqual(outcomes(result), [`created @${NEXT}`, `replaced @${NEXT}`]);
  });

  test("depends on the newest entry that any of its reads saw", () => {
    const state = stateOf({
      a: { text: "1", sequence: 3 },
      b: { text: null, sequence: 11 },
      c: { text: "1", sequence: 5 },
    });
    assert.equal(evaluate(batch(get("a"), get("b"), get("c")), state).saw, 11);
    assert.equal(evaluate(batch(), state).saw, 0);
  });

  test("an operation that fails fails alone, and is never reported as done (M11)", () => {
    const check = (): void => {
      const state = stateOf({ text: { text: "abc" }, there: { text: "1" } });
      const ifAbsent = set("there", "2", { condition: { kind: "absent" } });
      const { result, mutations } = evaluate(batch(increment("text", 1n), ifAbsent, set("b", "1")), state);
      assert.deepEqual(outcomes(result), ["NOT_AN_INTEGER", "not met", `created @${NEXT}`]);
      assert.deepEqual(summary(mutations), ["set b=1"]);
    };
    proveCaught("M11", check);
  });

  test("meets an expired key once: deleted, then as the batch leaves it", () => {
    const state = stateOf({ k: { text: "v", expiryMs: 1 } });
    assert.deepEqual(summary(evaluate(batch(get("k"), get("k")), state).mutations), ["delete k"]);
    assert.deepEqual(summary(evaluate(batch(get("k"), set("k", "w")), state).mutations), ["set k=w"]);
    const gone = { kind: "at", ms: 1 } as const;
    const { result } = evaluate(batch(set("k", "w", { expiry: gone }), get("k")), state);
    assert.deepEqual(outcomes(result), [`created @${NEXT}`, "absent"]);
  });

  test("comes to the same as its operations one after the other", () => {
    fc.assert(
      fc.property(fc.array(keyOperation, { maxLength: 12 }), (operations) => {
        const rows: Rows = { a: { text: "5" }, b: { text: "x", expiryMs: NOW_MS }, c: { text: "7", version: 42 } };
        const whole = evaluate(batch(...operations), stateOf(rows));
        const stepwise = new Map(Object.entries(rows));
        const results = operations.map((operation) => {
          const one = evaluate(operation, stateOf(Object.fromEntries(stepwise)));
          applyTo(stepwise, one);
          return one.result;
        });
        assert.deepEqual(outcomes(whole.result), results.flatMap(outcomes));
        const atOnce = new Map(Object.entries(rows));
        applyTo(atOnce, whole);
        assert.deepEqual(alive(atOnce), alive(stepwise));
      }),
      { numRuns: 500 },
    );
  });
});

describe("evaluating a scan", () => {
  test("hands on the page, and deletes the expired keys that it passed", () => {
    const scan: ScanOperation = {
      kind: "scan",
      start: "a",
      end: "z",
      reverse: false,
      keysOnly: false,
      rowsMax: 5,
      bytesMax: 100,
    };
    const page = { items: [], resume: keyOfText("m"), expired: [keyOfText("old"), keyOfText("older")], sequence: 12 };
    const asked: unknown[] = [];
    const state = { ...stateOf({}), page: (one: ScanOperation, nowMs: number) => (asked.push(one, nowMs), page) };
    const { result, mutations, saw } = evaluate(scan, state);
    assert.deepEqual(asked, [scan, NOW_MS]);
    assert.deepEqual(result, { kind: "page", items: [], resume: "m" });
    assert.deepEqual(summary(mutations), ["delete old", "delete older"]);
    assert.equal(saw, 12);
  });
});

interface Row {
  readonly text: string | null;
  readonly version?: number;
  readonly expiryMs?: number;
  readonly contentType?: string;
  readonly sequence?: number;
}
type Rows = Readonly<Record<string, Row>>;

function stateOf(rows: Rows): EvaluationState {
  return {
    get: (key) => {
      const row = Object.hasOwn(rows, key) ? rows[key] : undefined;
      if (row === undefined) return { record: null, sequence: 0 };
      const { text, version = 1, expiryMs = 0, contentType = "", sequence = 0 } = row;
      if (text === null) return { record: null, sequence };
      return { record: { value: Buffer.from(text), version, expiryMs, contentType }, sequence };
    },
    page: () => assert.fail("nothing was scanned"),
    nowMs: NOW_MS,
    nextVersion: NEXT,
  };
}

const keyOperation: fc.Arbitrary<KeyOperation> = fc
  .record({
    kind: fc.constantFrom("get", "set", "delete", "increment"),
    key: fc.constantFrom("a", "b", "c", "d"),
    text: fc.constantFrom("1", "x", ""),
    by: fc.bigInt({ min: -3n, max: 3n }),
    condition: fc.constantFrom<Condition | null>(
      null,
      { kind: "absent" },
      { kind: "present" },
      { kind: "version", version: 42 },
      { kind: "version", version: NEXT },
    ),
    expiry: fc.constantFrom<Expiry>(
      { kind: "none" },
      { kind: "keep" },
      { kind: "after", ms: 5 },
      { kind: "at", ms: 1 },
    ),
  })
  .map(({ kind, key, text, by, condition, expiry }): KeyOperation => {
    if (kind === "get") return get(key);
    if (kind === "increment") return increment(key, by);
    return kind === "set" ? set(key, text, { condition, expiry }) : { kind: "delete", key: keyOfText(key), condition };
  });

function applyTo(rows: Map<string, Row>, { mutations }: Evaluation): void {
  for (const { key, value, expiryMs, contentType } of mutations) {
    if (value === null) rows.delete(key);
    else rows.set(key, { text: value.toString(), version: NEXT, expiryMs, contentType });
  }
}

function alive(rows: ReadonlyMap<string, Row>): unknown {
  return [...rows].filter(([, { text }]) => text !== null).sort(([a], [b]) => (a < b ? -1 : 1));
}

function get(key: string): KeyOperation {
  return { kind: "get", key: keyOfText(key) };
}

function set(key: string, text: string, options: Partial<SetOperation> = {}): KeyOperation {
  const plain = { contentType: "", expiry: { kind: "none" } as const, condition: null, returnOld: false };
  return { kind: "set", key: keyOfText(key), value: Buffer.from(text), ...plain, ...options };
}

function remove(key: string): KeyOperation {
  return { kind: "delete", key: keyOfText(key), condition: null };
}

function increment(key: string, by: bigint): KeyOperation {
  return { kind: "increment", key: keyOfText(key), by };
}

function batch(...operations: readonly KeyOperation[]): { kind: "batch"; operations: readonly KeyOperation[] } {
  return { kind: "batch", operations };
}

function summary(mutations: readonly Mutation[]): string[] {
  return mutations.map(({ key, value }) => (value === null ? `delete ${key}` : `set ${key}=${value.toString()}`));
}

function outcomes(result: Result): string[] {
  if (result.kind === "batch") return result.results.flatMap(outcomes);
  if (result.kind === "written") return [`${result.created ? "created" : "replaced"} @${result.version}`];
  if (result.kind === "value") return [`"${result.record.value.toString()}" @${result.record.version}`];
  if (result.kind === "deleted") return [`deleted @${result.version}`];
  if (result.kind === "incremented") return [`${result.value} @${result.version}`];
  if (result.kind === "failed") return [result.error.code];
  return [result.kind === "not-met" ? "not met" : result.kind];
}
