import { silentLogger } from "../../src/base/logger.ts";
import { SystemRandom } from "../../src/base/random.ts";
import { SystemClock } from "../../src/base/system-clock.ts";
import { type RespServer, startRespServer } from "../../src/resp/resp-server.ts";
import { MemoryGateway } from "./memory-gateway.ts";

/** The RESP front door before a gateway in memory, on a free loopback port. */
export async function startMemoryRespServer(
  options: { readonly connectionsMax?: number } = {},
): Promise<{ readonly server: RespServer; readonly gateway: MemoryGateway }> {
  const clock = new SystemClock();
  const gateway = new MemoryGateway("127.0.0.1:1", clock);
  const server = await startRespServer({
    gateway,
    address: "127.0.0.1:0",
    shardCount: 1,
    clock,
    timers: clock,
    random: new SystemRandom(),
    logger: silentLogger,
    ...options,
  });
  return { server, gateway };
}
