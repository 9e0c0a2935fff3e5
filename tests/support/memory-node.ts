/**
 * A program: the HTTP front door before a memory gateway, in a process of its own, so that its memory and descriptors can be
 * measured. Prints its address as its first line; collects its garbage for every line of its standard input, and says so in
 * one of its own; ends when that ends. Run with `--expose-gc`.
 */
import { createInterface } from "node:readline";
import { SystemClock } from "../../src/base/system-clock.ts";
import { silentLogger } from "../../src/base/logger.ts";
import { startHttpServer } from "../../src/http/http-server.ts";
import { MemoryGateway } from "./memory-gateway.ts";

const clock = new SystemClock();
const server = await startHttpServer({
  gateway: new MemoryGateway("127.0.0.1:1", clock),
  address: "127.0.0.1:0",
  cluster: "test",
  clock,
  timers: clock,
  logger: silentLogger,
});
console.log(server.address);
const input = createInterface({ input: process.stdin });
input.on("line", () => {
  globalThis.gc?.();
  console.log("collected");
});
input.on("close", () => void server.close());
