import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { LIMITS } from "../model/limits.ts";
import { keyOfText, type Key } from "../model/key.ts";
import type { BatchOperation, KeyOperation, Result } from "../model/operation.ts";
import type { Record } from "../model/record.ts";
import { evaluate, type EvaluationState } from "./evaluate.ts";

const NOW_MS = 10_000;

/** Rows in a map, changed by what operations come to. */
class Rows {
  readonly #rows = new Map<string, Record>();
  #version = 0;

  do(operation: KeyOperation | BatchOperation): Result {
    const state: EvaluationState = {
      get: (key) => ({ record: this.#rows.get(key) ?? null, sequence: 0 }),
      page: () => ({ items: [], resume: null, expired: [], sequence: 0 }),
      nowMs: NOW_MS,
      nextVersion: this.#version + 1,
    };
    const { result, mutations } = evaluate(operation, state);
    if (mutations.length > 0) this.#version++;
    for (const { key, value, expiryMs, contentType } of mutations) {
      if (value === null) this.#rows.delete(key);
      else this.#rows.set(key, { value, version: this.#version, expiryMs, contentType });
    }
    return result;
  }

  set(key: string, value: string | Buffer, expiryMs = 0): void {
    this.#version++;
    this.#rows.set(key, { value: Buffer.from(value), version: this.#version, expiryMs, contentType: "text/x" });
  }

  text(key: string): string | undefined {
    return this.#rows.get(key)?.value.toString("latin1");
  }

  expiryMs(key: string): number | undefined {
    return this.#rows.get(key)?.expiryMs;
  }

  contentType(key: string): string | undefined {
    return this.#rows.get(key)?.contentType;
  }
}

const key: Key = keyOfText("k");
const other: Key = keyOfText("o");
const lengthOf = (result: Result): number | null => (result.kind === "resized" ? result.length : null);
const codeOf = (result: Result): string => (result.kind === "failed" ? result.error.code : result.kind);

describe("editing a value", () => {
  test("an append and a write into it keep expiry and content type, and fill with zeros", () => {
    const rows = new Rows();
    assert.equal(lengthOf(rows.do({ kind: "append", key, value: Buffer.from("ab") })), 2);
    rows.set("k", "abc", NOW_MS + 5);
    assert.equal(lengthOf(rows.do({ kind: "append", key, value: Buffer.from("de") })), 5);
    assert.equal(lengthOf(rows.do({ kind: "setRange", key, offset: 7, value: Buffer.from("x") })), 8);
    assert.equal(rows.text("k"), "abcde\0\0x");
    assert.deepEqual([rows.expiryMs("k"), rows.contentType("k")], [NOW_MS + 5, "text/x"]);
    assert.equal(lengthOf(rows.do({ kind: "setRange", key: other, offset: 9, value: Buffer.alloc(0) })), 0);
    assert.equal(rows.text("o"), undefined);
  });

  test("stops at its limit, with nothing changed", () => {
    const rows = new Rows();
    rows.set("k", Buffer.alloc(LIMITS.editedValueBytesMax));
    assert.equal(codeOf(rows.do({ kind: "append", key, value: Buffer.from("x") })), "VALUE_TOO_LARGE");
    const far = { kind: "setRange", key: other, offset: LIMITS.editedValueBytesMax, value: Buffer.from("x") } as const;
    assert.equal(codeOf(rows.do(far)), "VALUE_TOO_LARGE");
    assert.equal(rows.text("o"), undefined);
  });

  test("adds floats, and refuses what is none or would be too large", () => {
    const rows = new Rows();
    assert.equal(codeOf(rows.do({ kind: "incrementFloat", key, by: "0.1" })), "incrementedFloat");
    rows.do({ kind: "incrementFloat", key, by: "0.2" });
    assert.equal(rows.text("k"), "0.3");
    assert.equal(codeOf(rows.do({ kind: "incrementFloat", key, by: "x" })), "NOT_A_FLOAT");
    assert.equal(codeOf(rows.do({ kind: "incrementFloat", key, by: "inf" })), "FLOAT_OVERFLOW");
    assert.equal(rows.text("k"), "0.3");
  });
});

describe("changing when a key expires", () => {
  const at = (
    ms: number,
    condition: "always" | "absent" | "present" | "greater" | "less" | "presentAndLess",
  ): KeyOperation => ({
    kind: "expire",
    key,
    expiry: { kind: "at", ms },
    condition,
  });

  test("asks for the condition, where no expiry is later than any", () => {
    const rows = new Rows();
    assert.equal(rows.do(at(NOW_MS + 1, "always")).kind, "absent");
    rows.set("k", "v");
    const steps = [
      ["present", 50, "not-met"],
      ["greater", 50, "not-met"],
      ["presentAndLess", 50, "not-met"],
      ["less", 50, "written"],
      ["absent", 60, "not-met"],
      ["greater", 50, "not-met"],
      ["greater", 60, "written"],
      ["less", 70, "not-met"],
      ["presentAndLess", 40, "written"],
      ["present", 90, "written"],
    ] as const;
    for (const [condition, ms, expected] of steps) {
      assert.equal(rows.do(at(NOW_MS + ms, condition)).kind, expected, `${condition} ${ms}`);
    }
    assert.equal(rows.expiryMs("k"), NOW_MS + 90);
    assert.equal(rows.do({ kind: "expire", key, expiry: { kind: "none" }, condition: "present" }).kind, "written");
    assert.equal(rows.expiryMs("k"), 0);
  });

  test("to a time that has passed, even to 0, removes the key", () => {
    for (const ms of [0, -5, NOW_MS]) {
      const rows = new Rows();
      rows.set("k", "v");
      assert.equal(rows.do(at(ms, "always")).kind, "written");
      assert.equal(rows.text("k"), undefined);
    }
  });
});

describe("copies and sets of several keys", () => {
  test("a copy takes value, expiry and content type along; a move removes the source", () => {
    const rows = new Rows();
    const copy = { kind: "copy", key, to: other, replace: false, isMove: false } as const;
    assert.equal(rows.do(copy).kind, "absent");
    rows.set("k", "v", NOW_MS + 9);
    assert.equal(rows.do(copy).kind, "written");
    assert.deepEqual([rows.text("o"), rows.expiryMs("o"), rows.contentType("o")], ["v", NOW_MS + 9, "text/x"]);
    assert.equal(rows.do(copy).kind, "not-met");
    assert.equal(rows.do({ ...copy, replace: true, isMove: true }).kind, "written");
    assert.deepEqual([rows.text("k"), rows.text("o")], [undefined, "v"]);
    assert.equal(rows.do({ ...copy, key: other, to: other, replace: true, isMove: true }).kind, "written");
    assert.equal(rows.text("o"), "v");
  });

  test("setting all that are absent sets all or none", () => {
    const rows = new Rows();
    const setAll = {
      kind: "setAllAbsent",
      key,
      value: Buffer.from("1"),
      more: [{ key: other, value: Buffer.from("2") }],
    } as const;
    rows.set("o", "x");
    assert.equal(rows.do(setAll).kind, "not-met");
    assert.equal(rows.text("k"), undefined);
    rows.do({ kind: "delete", key: other, condition: null });
    assert.equal(rows.do(setAll).kind, "written");
    assert.deepEqual([rows.text("k"), rows.text("o")], ["1", "2"]);
  });

  test("a guarded batch happens when every guard holds, and not at all otherwise", () => {
    const rows = new Rows();
    rows.set("k", "1");
    const described = rows.do({ kind: "describe", key });
    assert.ok(described.kind === "described" && described.length === 1);
    const batch: BatchOperation = {
      kind: "batch",
      operations: [{ kind: "increment", key, by: 1n }],
      guards: [
        { key, condition: { kind: "version", version: described.version } },
        { key: other, condition: { kind: "absent" } },
      ],
    };
    assert.equal(rows.do(batch).kind, "batch");
    assert.equal(rows.do(batch).kind, "not-met");
    assert.equal(rows.text("k"), "2");
  });

  test("one entry never takes more than it can hold, however values are multiplied", () => {
    const rows = new Rows();
    rows.set("k", Buffer.alloc(LIMITS.valueBytesMax));
    const copies = [1, 2, 3].map((number): KeyOperation => ({
      kind: "copy",
      key,
      to: keyOfText(`c${number}`),
      replace: false,
      isMove: false,
    }));
    const result = rows.do({ kind: "batch", operations: copies });
    assert.deepEqual(result.kind === "batch" && result.results.map(codeOf), [
      "written",
      "VALUE_TOO_LARGE",
      "VALUE_TOO_LARGE",
    ]);
  });
});
