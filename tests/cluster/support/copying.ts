import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import type { TestNode } from "./test-node.ts";

const WAIT_MS = 60_000;
/** A copy may take no longer than a few of these. */
const LOOK_MS = 2;

/** Whether the node's directory says that its copy has begun, and is not whole. */
export function isIncomplete(node: TestNode): boolean {
  const path = join(node.dataDirectory, "node.json");
  if (!existsSync(path)) return false;
  return (JSON.parse(readFileSync(path, "utf8")) as { state: { bootstrap: unknown } }).state.bootstrap !== null;
}

/** Waits until the node copies its leader's rows; returns as soon as that can be seen. */
export async function whenCopying(node: TestNode): Promise<void> {
  const endMs = performance.now() + WAIT_MS;
  while (!isIncomplete(node)) {
    if (performance.now() > endMs) throw new Error(`${node.name} did not begin to copy:\n${node.output}`);
    await sleep(LOOK_MS);
  }
}
