import assert from "node:assert/strict";
import { test } from "node:test";
import { parseSuiteArguments } from "./suite-arguments.ts";

const KNOWN = ["P1", "P2", "P10"];

test("without words all rows run in their full form", () => {
  const plan = parseSuiteArguments([], KNOWN);
  assert.deepEqual(plan, { form: "full", rowIds: KNOWN, jsonFile: null, directory: "data", keeps: true });
});

test("rows are chosen by name and run in the order of the suite", () => {
  const plan = parseSuiteArguments(["--quick", "--only", "p10, P1", "--json", "out.json", "--no-keep"], KNOWN);
  assert.deepEqual(plan.rowIds, ["P1", "P10"]);
  assert.deepEqual([plan.form, plan.jsonFile, plan.keeps], ["quick", "out.json", false]);
});

test("a row that does not exist is refused, with those that do", (context) => {
  context.mock.method(process.stderr, "write", () => true);
  assert.throws(() => parseSuiteArguments(["--only", "P1,P3"], KNOWN), /no row P3, only P1, P2, P10/);
  assert.throws(() => parseSuiteArguments(["--fast"], KNOWN), /unknown option/);
});
