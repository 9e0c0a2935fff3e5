import { spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { findFreePorts } from "../../src/bench/suite/free-ports.ts";
import { RespClient } from "./resp-client.ts";

const REDIS_SERVER = "redis-server";

/** Whether a program of this name (`redis-server`, `redis-cli` …) can be started here. */
export function hasProgram(name: string): boolean {
  return spawnSync(name, ["--version"]).status === 0;
}

/** A real Redis with one database, without persistence; `stop` ends it. */
export async function startRedis(): Promise<{ readonly address: string; stop(): Promise<void> }> {
  const directory = mkdtempSync(join(tmpdir(), "kv-redis-"));
  const port = await findFreePorts([0]);
  const words = ["--port", String(port), "--bind", "127.0.0.1", "--dir", directory, "--save", "", "--databases", "1"];
  const child = spawn(REDIS_SERVER, words, { stdio: "ignore" });
  const ended = once(child, "exit");
  const address = `127.0.0.1:${port}`;
  const stop = async (): Promise<void> => {
    child.kill("SIGKILL");
    await ended;
    rmSync(directory, { recursive: true, force: true });
  };
  for (let attempt = 0; attempt < 200; attempt++) {
    try {
      const client = await RespClient.open(address);
      const isUp = (await client.ask("PING")) === "+PONG\r\n";
      client.close();
      if (isUp) return { address, stop };
    } catch {
      await sleep(25);
    }
  }
  await stop();
  throw new Error("redis-server did not start");
}
