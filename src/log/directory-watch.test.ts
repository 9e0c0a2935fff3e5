import assert from "node:assert/strict";
import { mkdirSync, mkdtempSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, test } from "node:test";
import { ManualTimers } from "../../tests/support/manual-timers.ts";
import type { KvError } from "../model/errors.ts";
import { DirectoryWatch } from "./directory-watch.ts";

let directory = "";
let timers = new ManualTimers();
let gone: KvError[] = [];

function watch(...paths: string[]): DirectoryWatch {
  const started = new DirectoryWatch({ timers, onGone: (error) => gone.push(error) });
  for (const path of paths) started.add(path, "start it again");
  return started;
}

describe("the watch over a node's files", () => {
  beforeEach(() => {
    directory = mkdtempSync(join(tmpdir(), "kv-watch-"));
    timers = new ManualTimers();
    gone = [];
    mkdirSync(join(directory, "log"));
    writeFileSync(join(directory, "lock"), "");
  });
  afterEach(() => rmSync(directory, { recursive: true }));

  test("says nothing while all is in its place, whatever is written", () => {
    watch(join(directory, "lock"), join(directory, "log"));
    writeFileSync(join(directory, "lock"), "more");
    writeFileSync(join(directory, "log", "1"), "more");
    timers.advance(10_000);
    assert.deepEqual(gone, []);
  });

  test("says within a second, once, what was removed and what to do", () => {
    watch(join(directory, "lock"), join(directory, "log"));
    rmSync(join(directory, "log"), { recursive: true });
    timers.advance(1000);
    assert.equal(gone.length, 1);
    assert.equal(gone[0]?.message, `${join(directory, "log")} was removed while this node ran: start it again`);
    timers.advance(5000);
    assert.equal(gone.length, 1);
  });

  test("notices a file that took another's place", () => {
    watch(join(directory, "lock"));
    writeFileSync(join(directory, "other"), "");
    renameSync(join(directory, "other"), join(directory, "lock"));
    timers.advance(1000);
    assert.match(gone[0]?.message ?? "", /was replaced by another one while/);
  });

  test("says nothing any more once it is stopped", () => {
    watch(join(directory, "lock")).stop();
    rmSync(join(directory, "lock"));
    timers.advance(5000);
    assert.deepEqual(gone, []);
  });
});
