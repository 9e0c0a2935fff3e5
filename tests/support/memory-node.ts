/**
 * A program: the HTTP front door before a memory gateway, in a process of its own, so that its memory and descriptors can be
 * measured. Prints its address as its first line; ends when its standard input ends.
 */
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
process.stdin.resume();
process.stdin.on("end", () => void server.close());
