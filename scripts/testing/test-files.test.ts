import assert from "node:assert/strict";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { runTestFiles, type TestPhase } from "./test-files.ts";
import type { Totals } from "./totals.ts";

/** Runs one planted file as a phase of its own, with what it prints swallowed. */
async function totalsOf(body: string): Promise<{ readonly totals: Totals; readonly printed: string }> {
  const root = mkdtempSync(join(tmpdir(), "kv-planted-"));
  const print = console.log;
  let printed = "";
  try {
    writeFileSync(join(root, "planted.test.ts"), `import { test } from "node:test";\n${body}\n`);
    const phase: TestPhase = {
      name: "planted",
      patterns: ["*.test.ts"],
      concurrency: 1,
      filesPerProcess: 1,
      processTimeoutMs: 1_500,
    };
    console.log = (line: string) => (printed += `${line}\n`);
    return { totals: await runTestFiles(root, phase), printed };
  } finally {
    console.log = print;
    rmSync(root, { recursive: true });
  }
}

test("passed, failed and skipped tests are counted", async () => {
  const { totals, printed } = await totalsOf(`
    test("a", () => {});
    test("b", async (t) => { await t.test("c", () => {}); });
    test.skip("d", () => {});
    test("e", () => { throw new Error("planted"); });
  `);
  assert.deepEqual(totals, { passed: 3, failed: 1, skipped: 1 });
  assert.match(printed, /FAILED.*planted\.test\.ts/);
  assert.match(printed, /Error: planted/);
});

test("a file without a test is a failure", async () => {
  const { totals, printed } = await totalsOf("");
  assert.deepEqual(totals, { passed: 0, failed: 1, skipped: 0 });
  assert.match(printed, /ran no test/);
});

test("a file that cannot be loaded is a failure", async () => {
  const { totals } = await totalsOf(`import "./missing.ts";`);
  assert.equal(totals.failed, 1);
});

test("a file that dies after its tests passed is a failure", async () => {
  const { totals } = await totalsOf(
    `test("a", () => {}); process.on("exit", () => process.kill(process.pid, "SIGKILL"));`,
  );
  assert.equal(totals.failed, 1);
});

test("a file that hangs is killed and is a failure", async () => {
  const { totals, printed } = await totalsOf(`test("a", () => {}); setInterval(() => {}, 1000);`);
  assert.equal(totals.failed, 1);
  assert.match(printed, /killed after 1\.5 s/);
});
