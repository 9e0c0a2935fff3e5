import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { test } from "node:test";
import { checkBannedCalls } from "./banned-calls.ts";
import { checkLayers } from "./layers.ts";
import { checkLockFile, completeLockFile } from "./lock-file.ts";
import { checkShape } from "./shape.ts";
import { type Fault, SourceFile } from "./source-file.ts";
import { checkText } from "./text.ts";

function faultsOf(check: (file: SourceFile) => Fault[], path: string, text: string): string[] {
  return check(new SourceFile(path, text)).map((fault) => `${fault.line}: ${fault.message}`);
}

test("a folder may import itself and lower layers", () => {
  const text = `import { a } from "./a.ts";\nimport { b } from "../base/b.ts";\nimport fs from "node:fs";\n`;
  assert.deepEqual(faultsOf(checkLayers, "src/log/segment.ts", text), []);
});

test("an import of a higher layer is a fault, whatever its form", () => {
  for (const form of [
    `import { serve } from "../server/serve.ts";`,
    `import type { Serve } from "../server/serve.ts";`,
    `export { serve } from "../server/serve.ts";`,
    `export * from "../server/serve.ts";`,
    `const server = await import("../server/serve.ts");`,
    `type Serve = import("../server/serve.ts").Serve;`,
  ]) {
    const faults = faultsOf(checkLayers, "src/log/segment.ts", `\n${form}\n`);
    assert.deepEqual(faults, ["2: src/log may not import src/server: it is a higher layer"], form);
  }
});

test("folders of one layer may not import each other", () => {
  const faults = faultsOf(checkLayers, "src/log/deep/segment.ts", `import { Tree } from "../../tree/tree.ts";\n`);
  assert.deepEqual(faults, ["1: src/log may not import src/tree: it is on the same layer"]);
});

test("product code may not import tests, and a test may", () => {
  const text = `import { cluster } from "../../tests/support/cluster.ts";\n`;
  assert.equal(faultsOf(checkLayers, "src/node/router.ts", text).length, 1);
  assert.deepEqual(faultsOf(checkLayers, "src/node/router.test.ts", text), []);
});

test("a folder without a layer is a fault, and so is a node module in the client", () => {
  assert.equal(faultsOf(checkLayers, "src/extras/a.ts", "export const a = 1;\n").length, 1);
  assert.equal(faultsOf(checkLayers, "src/client/a.ts", `import net from "node:net";\n`).length, 1);
});

test("time, chance and the outside world are faults in the core", () => {
  for (const expression of [
    "Date.now()",
    "new Date()",
    "performance.now()",
    "Math.random()",
    "crypto.randomUUID()",
    "globalThis.crypto.randomUUID()",
    "globalThis.setTimeout(run, 1)",
    "setTimeout(run, 1)",
    "setInterval(run, 1)",
    "setImmediate(run)",
    "fetch(url)",
    "process.exit(1)",
    "{ process }",
    "table[process.pid]",
    `await import("node:fs")`,
  ]) {
    const faults = faultsOf(checkBannedCalls, "src/shard/shard.ts", `const value = ${expression};\n`);
    assert.equal(faults.length, 1, `${expression}: ${faults.join()}`);
  }
});

test("imports of time, chance and input are faults in the core", () => {
  for (const line of [
    `import process from "node:process";`,
    `import { setTimeout as sleep } from "node:timers/promises";`,
    `import { readFile } from "node:fs/promises";`,
    `import { randomBytes } from "node:crypto";`,
  ]) {
    assert.equal(faultsOf(checkBannedCalls, "src/replication/session.ts", `${line}\n`).length, 1, line);
  }
  const typeOnly = `import type { Socket } from "node:net";\n`;
  assert.deepEqual(faultsOf(checkBannedCalls, "src/node/forwarder.ts", typeOnly), []);
});

test("names that merely read like a global are no faults", () => {
  const text = `
    class Row { fetch(): void {} readonly process = 1; }
    row.fetch(); this.process; const table = { fetch: 1 }; new Date(0);
  `;
  assert.deepEqual(faultsOf(checkBannedCalls, "src/shard/shard.ts", text), []);
});

test("adapters, programs and tests may use the clock", () => {
  for (const path of ["src/base/system-clock.ts", "src/log/disk.ts", "src/cli/kv.ts", "src/shard/shard.test.ts"]) {
    assert.deepEqual(faultsOf(checkBannedCalls, path, "Date.now(); process.exit(1);\n"), [], path);
  }
});

test("a file of 400 lines passes and one of 401 does not, unless it is a test", () => {
  assert.deepEqual(faultsOf(checkShape, "src/log/a.ts", "\n".repeat(399)), []);
  assert.equal(faultsOf(checkShape, "src/log/a.ts", "\n".repeat(400)).length, 1);
  assert.deepEqual(faultsOf(checkShape, "src/log/a.test.ts", "\n".repeat(400)), []);
});

test("a function of 70 lines passes and one of 71 does not", () => {
  for (const [head, tail] of [
    ["function a() {", "}"],
    ["const a = () => {", "};"],
    ["class A { b() {", "} }"],
  ]) {
    assert.deepEqual(faultsOf(checkShape, "src/log/a.ts", `${head}${"\n".repeat(69)}${tail}`), []);
    assert.equal(faultsOf(checkShape, "src/log/a.ts", `${head}${"\n".repeat(70)}${tail}`).length, 1, head);
  }
});

test("empty or uneven names, enums and barrels are faults", () => {
  for (const path of ["src/log/LogWriter.ts", "src/log/log_writer.ts", "src/log/utils.ts", "src/log/log-manager.ts"]) {
    assert.equal(faultsOf(checkShape, path, "").length, 1, path);
  }
  assert.equal(faultsOf(checkShape, "src/log/role.ts", "export enum Role { Leader }").length, 1);
  assert.equal(faultsOf(checkShape, "src/log/role.ts", `export * from "./other.ts";`).length, 1);
});

test("notes to self, machine paths and registries are faults in any text", () => {
  for (const line of [
    ["TO", "DO: later"],
    ["// FIX", "ME"],
    ["see /ho", "me/someone/notes"],
    ["/tm", "p/x.log"],
    ["cd /wo", "rk/main"],
    ["https://registr", "y.example.org/"],
  ]) {
    assert.equal(checkText({ path: "docs/a.md", text: `fine\n${line.join("")}\n` })[0]?.line, 2, line.join(""));
  }
  const harmless = 'GET /v1/work/x\nroot="$root/tmp/x"\nawait todo();\n';
  assert.deepEqual(checkText({ path: "docs/a.md", text: harmless }), []);
});

test("a lock file without another platform's optional package is a fault until it is completed", () => {
  const packages = {
    "": { version: "1.0.0" },
    "node_modules/tool": { version: "2.0.0", dev: true, optionalDependencies: { "@tool/a-darwin-arm64": "2.0.0" } },
  };
  const text = JSON.stringify({ lockfileVersion: 3, packages });
  assert.equal(checkLockFile({ path: "package-lock.json", text }).length, 1);
  const completed = completeLockFile(text);
  assert.deepEqual(checkLockFile({ path: "package-lock.json", text: completed }), []);
  assert.match(completed, /"cpu": \[\s+"arm64"\s+\],\s+"dev": true,\s+"optional": true,\s+"os": \[\s+"darwin"/);
});

test("the program names file and line and exits with 1", () => {
  const root = mkdtempSync(join(tmpdir(), "tidy-"));
  try {
    const path = join(root, "src/model/slot.ts");
    mkdirSync(dirname(path), { recursive: true });
    writeFileSync(path, "export const slot = 1;\n");
    const program = join(import.meta.dirname, "../tidy.ts");
    const clean = spawnSync(process.execPath, [program, root], { encoding: "utf8" });
    assert.equal(clean.status, 0, clean.stdout + clean.stderr);
    writeFileSync(path, "export const slot = 1;\nexport const now = Date.now();\n");
    const planted = spawnSync(process.execPath, [program, root], { encoding: "utf8" });
    assert.equal(planted.status, 1);
    assert.match(planted.stdout, /^src\/model\/slot\.ts:2: Date\.now may not be used in src\/model/m);
  } finally {
    rmSync(root, { recursive: true });
  }
});
