import { spawn } from "node:child_process";
import { once } from "node:events";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { describeHttp } from "./http-suite.ts";
import type { HttpSystem } from "./http-system.ts";

const PROGRAM = fileURLToPath(import.meta.resolve("../support/memory-node.ts"));

describeHttp("HTTP before a memory gateway", startMemoryNode);

async function startMemoryNode(): Promise<HttpSystem> {
  const child = spawn(process.execPath, [PROGRAM], { stdio: ["pipe", "pipe", "inherit"] });
  const [address] = (await once(createInterface({ input: child.stdout }), "line")) as [string];
  const { pid } = child;
  const stop = async (): Promise<void> => {
    const exited = once(child, "exit");
    child.stdin.end();
    await exited;
  };
  return { address, stop, ...(pid === undefined ? {} : { pid }) };
}
