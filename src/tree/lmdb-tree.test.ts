import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, test } from "node:test";
import { pathToFileURL } from "node:url";
import { clearMutants, plantMutant } from "../base/mutants.ts";
import { SPACE } from "../model/entry.ts";
import { KvError, type ErrorCode } from "../model/errors.ts";
import { LmdbTree } from "./lmdb-tree.ts";
import type { TreeChange, TreeWriter } from "./tree.ts";

describe("the tree in its file", () => {
  let directory = "";
  let path = "";
  let opened: LmdbTree[] = [];

  beforeEach(() => {
    directory = mkdtempSync(join(tmpdir(), "kv-tree-file-"));
    path = join(directory, "tree");
  });
  afterEach(() => {
    clearMutants();
    closeAll();
    rmSync(directory, { recursive: true });
  });

  function open(options: { readonly readOnly?: boolean } = {}): LmdbTree {
    const tree = new LmdbTree({ path, ...options });
    opened.push(tree);
    return tree;
  }

  function closeAll(): void {
    for (const tree of opened) tree.close();
    opened = [];
  }

  test("a flipped bit of a value in the file is never served, copied or passed over (M68)", () => {
    apply(open(), [set("a", "intact"), set("b", "Visakhapatnam"), set("c", "x".repeat(20_000)), set("d", "intact")]);
    closeAll();
    replaceInFile(path, "Visakhapatnam", "Visakhapatnaz");
    replaceInFile(path, "x".repeat(3000), "x".repeat(2999) + "y");
    const tree = open();
    for (const key of ["b", "c"]) assert.throws(() => tree.get(SPACE.user, key), withCode("CORRUPT", key));
    for (const key of ["a", "d"]) assert.equal(tree.get(SPACE.user, key)?.value.toString(), "intact");
    const range = { space: SPACE.user, start: "", end: "", reverse: false };
    assert.throws(() => tree.range(range, () => true), withCode("CORRUPT", "b"));
    assert.throws(() => tree.copyRange(SPACE.user, "", 1_000_000), withCode("CORRUPT", "b"));
    assert.deepEqual(tree.verifyRange(SPACE.user, "", 1_000_000), {
      rowCount: 4,
      corruptKeys: ["b", "c"],
      lastKey: null,
    });
    apply(tree, [set("b", "new")]);
    assert.equal(tree.get(SPACE.user, "b")?.value.toString(), "new");
    plantMutant("M68");
    assert.notEqual(tree.get(SPACE.user, "c"), null);
  });

  test("a copy in chunks lets the file reuse its pages while rows are rewritten (M59)", () => {
    const growth = (): number => {
      const reader = open();
      const writer = open();
      const round = (fill: string): void =>
        apply(
          writer,
          Array.from({ length: 100 }, (_, i) => set(`k${String(i).padStart(3, "0")}`, fill.repeat(4000))),
        );
      for (let i = 0; i < 4; i++) round("a");
      const before = reader.stats().fileBytes;
      let afterKey = "";
      for (let i = 0; i < 25; i++) {
        round("b");
        afterKey = reader.copyRange(SPACE.user, afterKey, 10_000).lastKey ?? "";
      }
      return reader.stats().fileBytes / before;
    };
    const growthNow = growth();
    assert.ok(growthNow < 1.5, `the file grew ${growthNow}-fold`);
    plantMutant("M59");
    const growthWithMistake = growth();
    assert.ok(growthWithMistake > 3, `the file grew ${growthWithMistake}-fold`);
  });

  test("live bytes follow the rows, while the file keeps its size", () => {
    const tree = open();
    apply(
      tree,
      Array.from({ length: 500 }, (_, i) => set(`k${String(i).padStart(3, "0")}`, "v".repeat(5000))),
    );
    const full = tree.stats();
    assert.ok(full.liveBytes > 500 * 5000 && full.liveBytes <= full.fileBytes, JSON.stringify(full));
    tree.apply({ changes: [], clearUserRows: true, position: { appliedSequence: 2, applyingThrough: 2 } });
    const cleared = tree.stats();
    assert.ok(cleared.fileBytes >= full.fileBytes, JSON.stringify(cleared));
    assert.ok(cleared.liveBytes < 200_000, JSON.stringify(cleared));
  });

  test("a tree of an unknown format is refused with its number", () => {
    open();
    closeAll();
    replaceInFile(path, "format1", "format7");
    assert.throws(() => open(), withCode("UNKNOWN_FORMAT", "has tree format 7"));
    replaceInFile(path, "format7", "format1");
    open();
  });

  test("a file that is no tree is refused, and left as it is", () => {
    for (const content of [Buffer.alloc(50_000, "not a tree "), Buffer.from("x"), Buffer.alloc(200_000)]) {
      writeFileSync(path, content);
      assert.throws(() => open(), withCode("DATA_CORRUPT", path));
      assert.ok(readFileSync(path).equals(content));
    }
  });

  test("a file with a damaged second header is refused", () => {
    open();
    closeAll();
    const content = readFileSync(path);
    content.fill(0x55, 4096, 4200);
    writeFileSync(path, content);
    assert.throws(() => open(), withCode("DATA_CORRUPT", path));
  });

  test("a file that is cut off is refused, where the library would end the process", () => {
    apply(
      open(),
      Array.from({ length: 100 }, (_, i) => set(`k${String(i).padStart(2, "0")}`, "v".repeat(5000))),
    );
    closeAll();
    const content = readFileSync(path);
    for (const length of [8192, content.length >> 1, content.length - 100_000]) {
      writeFileSync(path, content.subarray(0, length));
      for (const readOnly of [false, true]) {
        assert.throws(() => open({ readOnly }), withCode("DATA_CORRUPT", `is cut off: it has ${length} bytes of`));
      }
    }
  });

  test("looking at an empty file changes nothing", () => {
    for (const length of [0, 8192]) {
      writeFileSync(path, Buffer.alloc(length));
      assert.throws(() => open({ readOnly: true }), withCode("DATA_CORRUPT", "is empty"));
      assert.equal(readFileSync(path).length, length);
    }
  });

  test("a file whose making was cut short by a crash is made anew", () => {
    for (const length of [0, 100, 8192]) {
      writeFileSync(path, Buffer.alloc(length));
      apply(open(), [set("a", "1")]);
      closeAll();
      assert.equal(open().get(SPACE.user, "a")?.value.toString(), "1");
      closeAll();
    }
  });

  test("looking at a tree that is not there makes none", () => {
    assert.throws(() => open({ readOnly: true }), withCode("DATA_CORRUPT", path));
    assert.throws(() => readFileSync(path), /ENOENT/);
    apply(open(), [set("a", "1")]);
    closeAll();
    const looking = open({ readOnly: true });
    assert.equal(looking.get(SPACE.user, "a")?.value.toString(), "1");
    assert.throws(() => apply(looking, [set("a", "2")]));
  });

  test("a process that left ranges unfinished ends cleanly", () => {
    const { status, stdout, stderr } = runScript(`
      const range = { space: 0, start: "", end: "", reverse: false };
      const changes = Array.from({ length: 9 }, (_, i) => ({ space: 0, key: "k" + i, record: { value: Buffer.from("v"), version: 1, expiryMs: 0, contentType: "" } }));
      const [writer, reader] = [new LmdbTree({ path: process.argv[1] }), new LmdbTree({ path: process.argv[1] })];
      writer.apply({ changes, clearUserRows: false, position: { appliedSequence: 1, applyingThrough: 1 } });
      reader.resetReadTransaction();
      reader.range(range, () => false);
      try { reader.range({ ...range, reverse: true }, () => { throw new Error("stop"); }); } catch {}
      reader.copyRange(0, "", 1);
      reader.range(range, (row) => { reader.range(range, () => false); return row.key < "k3"; });
      setTimeout(() => { reader.range(range, () => false); writer.apply({ changes, clearUserRows: true, position: { appliedSequence: 2, applyingThrough: 2 } }); console.log("end"); }, 20);
    `);
    assert.deepEqual([status, stdout, stderr], [0, "end\n", ""]);
  });

  test("a full disk is DISK_FULL with nothing changed, reads go on, and so do writes when there is room again", (context) => {
    const mount = join(directory, "small");
    mkdirSync(mount);
    const script = `
      const tree = new LmdbTree({ path: process.argv[1] });
      const row = (key, bytes) => ({ space: 0, key, record: { value: Buffer.alloc(bytes, key), version: 1, expiryMs: 0, contentType: "" } });
      const apply = (n, rows, clearUserRows = false) => {
        try {
          tree.apply({ changes: rows, clearUserRows, position: { appliedSequence: n, applyingThrough: n } });
          return "ok";
        } catch (error) { return error.code; }
      };
      let n = 1;
      while (apply(n, Array.from({ length: 50 }, (_, i) => row(String(n * 100 + i), 4000))) === "ok") n++;
      const after = [tree.position().appliedSequence === n - 1, tree.stats().userKeyCount === (n - 1) * 50, tree.get(0, "100").value.length];
      const again = apply(n, [row("z", 3_000_000)]);
      const cleared = apply(n, [], true);
      // What was cleared can be used again from the second transaction on.
      const small = [1, 2, 3].map((i) => apply(n + i, [row("s" + i, 4000)]));
      console.log(JSON.stringify([n > 2, ...after, again, cleared, ...small, tree.stats().userKeyCount]));
    `;
    const { status, stdout, stderr } = runScript(script, { mountAt: mount });
    if (status === 77) {
      context.skip("no small file system can be mounted here");
      return;
    }
    assert.equal(status, 0, stderr);
    assert.deepEqual(JSON.parse(stdout), [true, true, true, 4000, "DISK_FULL", "ok", "ok", "ok", "ok", 3]);
  });

  /** Runs a piece of JavaScript in a process of its own; with `mountAt`, on a file system of 6 MiB (exit code 77: impossible). */
  function runScript(
    body: string,
    options: { readonly mountAt?: string } = {},
  ): { status: number | null; stdout: string; stderr: string } {
    const module = pathToFileURL(join(import.meta.dirname, "lmdb-tree.ts")).href;
    const script = `import { LmdbTree } from ${JSON.stringify(module)};\n${body}`;
    const node = [process.execPath, "--input-type=module", "-e", script];
    if (options.mountAt === undefined) return spawnSync(node[0] ?? "", [...node.slice(1), path], { encoding: "utf8" });
    const mounting = `mount -t tmpfs -o size=6m tmpfs "$1" || exit 77; tree="$1/tree"; shift; exec "$@" "$tree"`;
    const inOwnNamespace = `unshare -rm true 2>/dev/null || exit 77; exec unshare -rm sh -c "$@"`;
    const command = ["-c", inOwnNamespace, "sh", mounting, "sh", options.mountAt, ...node];
    return spawnSync("sh", command, { encoding: "utf8" });
  }
});

function set(key: string, value: string): TreeChange {
  return { space: SPACE.user, key, record: { value: Buffer.from(value), version: 1, expiryMs: 0, contentType: "" } };
}

function apply(tree: TreeWriter, changes: readonly TreeChange[]): void {
  tree.apply({ changes, clearUserRows: false, position: { appliedSequence: 1, applyingThrough: 1 } });
}

/** Overwrites a text wherever the file has it, as a failing disk would. */
function replaceInFile(path: string, from: string, to: string): void {
  const content = readFileSync(path);
  let found = 0;
  for (let at = content.indexOf(from); at !== -1; at = content.indexOf(from, at + from.length)) {
    content.write(to, at, "latin1");
    found++;
  }
  assert.ok(found > 0, `the file has ${from.slice(0, 20)}`);
  writeFileSync(path, content);
}

function withCode(code: ErrorCode, text: string): (error: unknown) => boolean {
  return (error) => error instanceof KvError && error.code === code && error.message.includes(text);
}
