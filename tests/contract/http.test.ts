import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { describeHttp } from "./http-suite.ts";
import type { HttpSystem } from "./http-system.ts";

const PROGRAM = fileURLToPath(import.meta.resolve("../support/memory-node.ts"));

describeHttp("HTTP before a memory gateway", startMemoryNode);

async function startMemoryNode(): Promise<HttpSystem> {
  const child = spawn(process.execPath, ["--expose-gc", "--max-semi-space-size=1", PROGRAM], {
    stdio: ["pipe", "pipe", "inherit"],
    // The C library gives back what is freed at once, so that memory which is kept is memory that is held.
    env: { ...process.env, MALLOC_MMAP_THRESHOLD_: "32768", MALLOC_TRIM_THRESHOLD_: "131072", MALLOC_ARENA_MAX: "1" },
  });
  const { pid } = child;
  assert.ok(pid !== undefined, "it has started");
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
  const address = String((await lines.next()).value);
  const collect = async (): Promise<void> => {
    child.stdin.write("collect\n");
    await lines.next();
  };
  const stop = async (): Promise<void> => {
    const exited = once(child, "exit");
    child.stdin.end();
    await exited;
  };
  return { address, pid, collect, stop };
}
