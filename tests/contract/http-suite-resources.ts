import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import { before, describe, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { send } from "../support/http-client.ts";
import type { HttpSystem } from "./http-system.ts";

const RSS_GROWTH_BYTES_MAX = 20 * 1024 * 1024;
const VALUE_BYTES_MAX = 16_777_216;
const SETTLE_MS_MAX = 15_000;

/** Runs `suites`, then looks at what they left behind in the serving process. */
export function describeResources(system: () => HttpSystem, suites: () => void): void {
  let before_: { rssBytes: number; descriptors: number } | null = null;
  before(async () => {
    await warmUp(system());
    before_ = measure(system());
  });
  suites();
  describe("after all of this", () => {
    test("the server still answers", async () => {
      assert.equal((await send(system().address, { path: "/healthz" })).status, 200);
    });

    test("no descriptor is left over", async (context) => {
      const { descriptors } = before_ ?? { descriptors: 0 };
      if (before_ === null) {
        context.skip("the process that serves is not known");
        return;
      }
      await settles(() => (measure(system())?.descriptors ?? 0) <= descriptors);
      assert.ok((measure(system())?.descriptors ?? 0) <= descriptors);
    });

    test("memory has grown by 20 MB at most", async (context) => {
      if (before_ === null) {
        context.skip("the process that serves is not known");
        return;
      }
      const rssBytesMax = before_.rssBytes + RSS_GROWTH_BYTES_MAX;
      // Garbage is collected when memory is used: the same use before each look makes the two comparable.
      await settles(async () => {
        await warmUp(system());
        return (measure(system())?.rssBytes ?? 0) <= rssBytesMax;
      });
      const grownBytes = (measure(system())?.rssBytes ?? 0) - before_.rssBytes;
      context.diagnostic(`RSS: ${before_.rssBytes} bytes before, grown by ${grownBytes}`);
      assert.ok(grownBytes <= RSS_GROWTH_BYTES_MAX, `grown by ${grownBytes} bytes`);
    });
  });
}

/** What legal use brings once (compiled code, heaps grown for the largest value and the largest batch) is no growth. */
async function warmUp({ address }: HttpSystem): Promise<void> {
  const value = Buffer.alloc(VALUE_BYTES_MAX, "v");
  const batch = `{"ops":[{"set":{"key":"warm-up","value":"${"v".repeat(VALUE_BYTES_MAX - 100)}"}}]}`;
  for (let round = 0; round < 3; round++) {
    await send(address, { method: "PUT", path: "/v1/kv/warm-up", body: value });
    await send(address, { path: "/v1/kv/warm-up" });
    await send(address, { method: "POST", path: "/v1/batch", body: batch });
    await send(address, { method: "DELETE", path: "/v1/kv/warm-up" });
  }
  for (let round = 0; round < 300; round++) await send(address, { path: "/healthz" });
}

function measure({ pid }: HttpSystem): { rssBytes: number; descriptors: number } | null {
  if (pid === undefined) return null;
  const status = readFileSync(`/proc/${pid}/status`, "utf8");
  const rssKilobytes = Number(/^VmRSS:\s+(\d+) kB$/m.exec(status)?.[1]);
  return { rssBytes: rssKilobytes * 1024, descriptors: readdirSync(`/proc/${pid}/fd`).length };
}

async function settles(isSettled: () => boolean | Promise<boolean>): Promise<void> {
  const deadline = performance.now() + SETTLE_MS_MAX;
  while (!(await isSettled()) && performance.now() < deadline) await sleep(200);
}
