import assert from "node:assert/strict";
import { readdirSync, readFileSync, readlinkSync } from "node:fs";
import { join } from "node:path";
import { before, describe, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { send } from "../support/http-client.ts";
import type { HttpSystem } from "./http-system.ts";

const RSS_GROWTH_BYTES_MAX = 20 * 1024 * 1024;
const VALUE_BYTES_MAX = 16_777_216;
const WARM_UP_ROUNDS = 5;
/** What the warm-up used is given back within so many looks. */
const FIRST_LOOKS = 10;
const LOOK_MS = 200;
const SETTLE_MS_MAX = 15_000;

/** Runs `suites`, then looks at what they left behind in the serving process. */
export function describeResources(system: () => HttpSystem, suites: () => void): void {
  let before_ = { rssBytes: 0, sockets: 0 };
  before(async () => {
    await warmUp(system());
    for (let look = 0; look < FIRST_LOOKS; look++) {
      const { rssBytes, sockets } = await measure(system());
      before_ = look === 0 ? { rssBytes, sockets } : { rssBytes: Math.min(rssBytes, before_.rssBytes), sockets };
      await sleep(LOOK_MS);
    }
  });
  suites();
  describe("after all of this", () => {
    test("the server still answers", async () => {
      assert.equal((await send(system().address, { path: "/healthz" })).status, 200);
    });

    test("no connection is left over", async () => {
      const sockets = await settled(async () => (await measure(system())).sockets, before_.sockets);
      assert.ok(sockets <= before_.sockets, `${sockets} sockets, ${before_.sockets} before`);
    });

    test("memory has grown by 20 MB at most", async (context) => {
      const grownBytes = async (): Promise<number> => {
        await warmUp(system());
        return (await measure(system())).rssBytes - before_.rssBytes;
      };
      const bytes = await settled(grownBytes, RSS_GROWTH_BYTES_MAX);
      context.diagnostic(`RSS: ${before_.rssBytes} bytes before, grown by ${bytes}`);
      assert.ok(bytes <= RSS_GROWTH_BYTES_MAX, `grown by ${bytes} bytes`);
    });
  });
}

/**
 * What legal use brings once (compiled code, buffers and heaps grown for the largest values and batches) is no growth. The
 * keys differ, so that every shard of a cluster has its share.
 */
async function warmUp({ address }: HttpSystem): Promise<void> {
  const value = Buffer.alloc(VALUE_BYTES_MAX, "v");
  for (let round = 0; round < WARM_UP_ROUNDS; round++) {
    const key = `warm-up:${round}`;
    const batch = `{"ops":[{"set":{"key":"${key}","value":"${"v".repeat(VALUE_BYTES_MAX - 100)}"}}]}`;
    await send(address, { method: "PUT", path: `/v1/kv/${key}`, body: value });
    await send(address, { path: `/v1/kv/${key}` });
    await send(address, { method: "POST", path: "/v1/batch", body: batch });
    await send(address, { method: "DELETE", path: `/v1/kv/${key}` });
  }
  for (let round = 0; round < 300; round++) await send(address, { path: "/healthz" });
}

async function measure(system: HttpSystem): Promise<{ readonly rssBytes: number; readonly sockets: number }> {
  await system.collect();
  const status = readFileSync(`/proc/${system.pid}/status`, "utf8");
  // Pages of mapped files are the system's cache: only a process's own memory can leak.
  const rssKilobytes = Number(/^RssAnon:\s+(\d+) kB$/m.exec(status)?.[1]);
  return { rssBytes: rssKilobytes * 1024, sockets: countSockets(system.pid) };
}

/** Open sockets; the files of a store come and go by its own rules. */
function countSockets(pid: number): number {
  const folder = `/proc/${pid}/fd`;
  return readdirSync(folder).filter((descriptor) => {
    try {
      return readlinkSync(join(folder, descriptor)).startsWith("socket:");
    } catch {
      return false;
    }
  }).length;
}

/** The last of the values looked at: the first that is `most` or less, or what it still is after a while. */
async function settled(look: () => Promise<number>, most: number): Promise<number> {
  const deadline = performance.now() + SETTLE_MS_MAX;
  for (;;) {
    const value = await look();
    if (value <= most || performance.now() >= deadline) return value;
    await sleep(LOOK_MS);
  }
}
