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
const SETTLE_MS_MAX = 15_000;

/** Runs `suites`, then looks at what they left behind in the serving process. */
export function describeResources(system: () => HttpSystem, suites: () => void): void {
  let before_: { rssBytes: number; sockets: number } | null = null;
  before(async () => {
    await warmUp(system());
    before_ = measure(system());
  });
  suites();
  describe("after all of this", () => {
    test("the server still answers", async () => {
      assert.equal((await send(system().address, { path: "/healthz" })).status, 200);
    });

    test("no connection is left over", async (context) => {
      const { sockets } = before_ ?? { sockets: 0 };
      if (before_ === null) {
        context.skip("the process that serves is not known");
        return;
      }
      await settles(() => (measure(system())?.sockets ?? 0) <= sockets);
      assert.ok((measure(system())?.sockets ?? 0) <= sockets);
    });

    test("memory has grown by 20 MB at most", async (context) => {
      if (before_ === null) {
        context.skip("the process that serves is not known");
        return;
      }
      const growthBytesMax = RSS_GROWTH_BYTES_MAX + (system().bufferBytesMax ?? 0);
      const rssBytesMax = before_.rssBytes + growthBytesMax;
      // Garbage is collected when memory is used: the same use before each look makes the two comparable.
      await settles(async () => {
        await warmUp(system());
        return (measure(system())?.rssBytes ?? 0) <= rssBytesMax;
      });
      const grownBytes = (measure(system())?.rssBytes ?? 0) - before_.rssBytes;
      context.diagnostic(`RSS: ${before_.rssBytes} bytes before, grown by ${grownBytes}`);
      assert.ok(grownBytes <= growthBytesMax, `grown by ${grownBytes} bytes`);
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

function measure({ pid }: HttpSystem): { rssBytes: number; sockets: number } | null {
  if (pid === undefined) return null;
  const status = readFileSync(`/proc/${pid}/status`, "utf8");
  // Pages of mapped files are the system's cache: only a process's own memory can leak.
  const rssKilobytes = Number(/^RssAnon:\s+(\d+) kB$/m.exec(status)?.[1]);
  return { rssBytes: rssKilobytes * 1024, sockets: countSockets(pid) };
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

async function settles(isSettled: () => boolean | Promise<boolean>): Promise<void> {
  const deadline = performance.now() + SETTLE_MS_MAX;
  while (!(await isSettled()) && performance.now() < deadline) await sleep(200);
}
