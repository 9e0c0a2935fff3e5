import type { TestContext } from "node:test";
import type { HttpServer } from "../../src/http/http-server.ts";
import type { HttpSettings } from "../../src/http/settings.ts";
import { RawConnection } from "./http-client.ts";
import { LateGateway } from "./late-gateway.ts";
import { serveHttp } from "./local-http.ts";

/** One front door and the store behind it. */
export interface Twin {
  readonly address: string;
  readonly server: HttpServer;
  readonly gateway: LateGateway;
}

/** The same server with the fast path and without it, each before a store of its own. */
export interface HttpTwins {
  readonly fast: Twin;
  readonly ordinary: Twin;
}

/** Starts both on free ports until the test ends. Their stores are late at different times. */
export async function startTwins(
  context: TestContext,
  seed: number,
  settings: Partial<HttpSettings> = {},
): Promise<HttpTwins> {
  const [fast, ordinary] = await Promise.all([
    startTwin(seed, { ...settings, isFastPathOn: true }),
    startTwin(seed + 1, { ...settings, isFastPathOn: false }),
  ]);
  context.after(() => Promise.all([fast.server.close(), ordinary.server.close()]));
  return { fast, ordinary };
}

async function startTwin(seed: number, settings: Partial<HttpSettings>): Promise<Twin> {
  const gateway = new LateGateway(seed);
  gateway.asked = [];
  const server = await serveHttp(gateway, settings);
  return { address: server.address, server, gateway };
}

/**
 * Sends `pieces` one after the other on a connection of its own and shuts down its side. Gives back all that was sent back
 * until the server hung up, dates aside: a binary string.
 */
export async function converse(address: string, pieces: readonly Buffer[]): Promise<string> {
  const connection = await RawConnection.open(address);
  for (const piece of pieces) {
    if (connection.isEnded) break;
    connection.write(piece);
    await connection.drained();
  }
  if (!connection.isEnded) connection.socket.end();
  try {
    await connection.ended();
  } finally {
    connection.destroy();
  }
  return withoutDates(connection.received.toString("latin1"));
}

function withoutDates(text: string): string {
  return text.replaceAll(/\r\nDate: [^\r]*/g, "\r\nDate: then");
}
