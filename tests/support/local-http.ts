import type { TestContext } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { silentLogger } from "../../src/base/logger.ts";
import { SystemClock } from "../../src/base/system-clock.ts";
import { type HttpServer, startHttpServer } from "../../src/http/http-server.ts";
import type { HttpSettings } from "../../src/http/settings.ts";
import type { Gateway } from "../../src/node/gateway.ts";
import { send } from "./http-client.ts";
import { MemoryGateway } from "./memory-gateway.ts";

/** A front door before a memory gateway in this process: for tests that hold both ends. */
export interface LocalHttp {
  readonly server: HttpServer;
  readonly gateway: MemoryGateway;
  readonly address: string;
}

/** Starts one, on a free port, until the test ends. */
export async function startLocalHttp(context: TestContext, settings: Partial<HttpSettings> = {}): Promise<LocalHttp> {
  const gateway = new MemoryGateway("127.0.0.1:1", new SystemClock());
  gateway.asked = [];
  const server = await serveHttp(gateway, settings);
  context.after(() => server.close());
  return { server, gateway, address: server.address };
}

/** A front door before `gateway`, on a free port. */
export async function serveHttp(gateway: Gateway, settings: Partial<HttpSettings>): Promise<HttpServer> {
  const clock = new SystemClock();
  return startHttpServer({
    gateway,
    address: "127.0.0.1:0",
    cluster: "test",
    clock,
    timers: clock,
    logger: silentLogger,
    settings: { closeGraceMs: 0, ...settings },
  });
}

/** The number of a metric without labels of its own, as /metrics tells it. */
export async function metricOf(address: string, name: string): Promise<number> {
  const { text } = await send(address, { path: "/metrics" });
  return Number(new RegExp(`^${name}(?:\\{[^}]*\\})? (\\S+)$`, "m").exec(text)?.[1]);
}

/** Waits until `holds`; throws with `claim` when it does not within `withinMs`. */
export async function eventually(
  claim: string,
  holds: () => boolean | Promise<boolean>,
  withinMs = 5000,
): Promise<void> {
  const deadline = performance.now() + withinMs;
  while (!(await holds())) {
    if (performance.now() > deadline) throw new Error(`Never came true: ${claim}`);
    await sleep(5);
  }
}
