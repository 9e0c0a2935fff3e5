import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { ERROR_DOCS_PATH, renderErrorDocs } from "../../scripts/write-error-docs.ts";
import { ERRORS } from "../../src/model/errors.ts";

test("docs/errors.md says what the error table says", () => {
  assert.equal(readFileSync(ERROR_DOCS_PATH, "utf8"), renderErrorDocs(), "run: node scripts/write-error-docs.ts");
});

test("every error is documented, with its status, outcome and sentence", () => {
  const lines = renderErrorDocs().split("\n");
  for (const [code, { wire, when }] of Object.entries(ERRORS)) {
    const line = lines.find((text) => text.startsWith(`| \`${code}\` |`));
    assert.ok(line?.includes(` ${wire} |`) && line.endsWith(`${when} |`), code);
  }
});

test("no two errors share a number", () => {
  const numbers = Object.values(ERRORS).map(({ wire }) => wire);
  assert.equal(new Set(numbers).size, numbers.length);
});
