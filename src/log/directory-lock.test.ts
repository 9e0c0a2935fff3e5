import assert from "node:assert/strict";
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { KvError } from "../model/errors.ts";
import { DirectoryLock } from "./directory-lock.ts";

const HOLDER = fileURLToPath(new URL("../../tests/support/lock-holder.ts", import.meta.url));

interface Answer {
  readonly child: ChildProcess;
  readonly state: string;
  readonly message?: string;
}

let directory = "";
let children: ChildProcess[] = [];

/** Another process that tries to take the lock, and what it says. */
async function tryInChild(...mutants: string[]): Promise<Answer> {
  const child = spawn(process.execPath, ["--expose-gc", HOLDER, directory, ...mutants], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  children.push(child);
  let text = "";
  for await (const chunk of child.stdout) {
    text += String(chunk);
    if (text.includes("\n")) break;
  }
  return { child, ...(JSON.parse(text) as { state: string; message?: string }) };
}

async function kill(child: ChildProcess): Promise<void> {
  const exit = once(child, "exit");
  child.kill("SIGKILL");
  await exit;
}

async function checkStoppedOwner(...mutants: string[]): Promise<void> {
  const owner = await tryInChild(...mutants);
  assert.equal(owner.state, "locked");
  owner.child.kill("SIGSTOP");
  await sleep(800);
  const second = await tryInChild(...mutants);
  assert.equal(second.state, "DIRECTORY_IN_USE", "a stopped owner is an owner");
}

describe("the lock of a data directory", () => {
  beforeEach(() => {
    directory = mkdtempSync(join(tmpdir(), "kv-lock-"));
    children = [];
  });

  afterEach(async () => {
    for (const child of children) if (child.exitCode === null && child.signalCode === null) await kill(child);
    rmSync(directory, { recursive: true });
  });

  test("keeps a second process out and names the first", async () => {
    const owner = await tryInChild();
    assert.equal(owner.state, "locked");
    const second = await tryInChild();
    assert.equal(second.state, "DIRECTORY_IN_USE");
    assert.match(second.message ?? "", new RegExp(`is in use by process ${owner.child.pid}$`));
  });

  test("is gone with its process, however that died", async () => {
    const owner = await tryInChild();
    await kill(owner.child);
    const second = await tryInChild();
    assert.equal(second.state, "locked");
  });

  test("stays with a process that is stopped", async () => {
    await checkStoppedOwner();
  });

  test("that check notices a lock that goes by a file's age (M67)", async () => {
    await assert.rejects(checkStoppedOwner("M67"), assert.AssertionError);
  });

  test("can be handed on within a process", async () => {
    const lock = DirectoryLock.take(directory);
    assert.throws(
      () => DirectoryLock.take(directory),
      (error) => error instanceof KvError && error.code === "DIRECTORY_IN_USE" && error.details["pid"] === process.pid,
    );
    assert.equal((await tryInChild()).state, "DIRECTORY_IN_USE", "a refused attempt does not let go of the lock");
    lock.release();
    DirectoryLock.take(directory).release();
  });

  test("a lock file that is something else is named, and what to do about it", () => {
    writeFileSync(join(directory, "lock"), "what somebody else wrote here".repeat(100));
    assert.throws(
      () => DirectoryLock.take(directory),
      (error) =>
        error instanceof KvError && error.code === "WRONG_DIRECTORY" && /holds no data.*remove it/.test(error.message),
    );
  });

  test("a directory that does not exist is refused with the reason", () => {
    assert.throws(
      () => DirectoryLock.take(join(directory, "missing")),
      (error) => error instanceof KvError && error.code === "WRONG_DIRECTORY" && /cannot be used/.test(error.message),
    );
  });
});
