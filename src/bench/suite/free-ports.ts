import { createServer } from "node:net";
import { HOST } from "./cores.ts";

/** Below the range from which the system takes the ports of outgoing connections. */
const PORT_MIN = 10_000;
const PORT_RANGE = 16_000;
const ATTEMPTS = 50;

/** A random port from which on all `offsets` are free. */
export async function findFreePorts(offsets: readonly number[]): Promise<number> {
  for (let attempt = 0; attempt < ATTEMPTS; attempt++) {
    const base = PORT_MIN + Math.floor(Math.random() * PORT_RANGE);
    const free = await Promise.all(offsets.map(async (offset) => isFree(base + offset)));
    if (free.every(Boolean)) return base;
  }
  throw new Error("no free ports were found");
}

async function isFree(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const server = createServer();
    server.once("error", () => resolve(false));
    server.listen(port, HOST, () => server.close(() => resolve(true)));
  });
}
