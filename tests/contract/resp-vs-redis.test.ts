import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import fc from "fast-check";
import { startMemoryRespServer } from "../support/memory-resp-server.ts";
import { aSession, type RandomCommand } from "../support/redis-commands.ts";
import { hasProgram, startRedis } from "../support/redis-process.ts";
import { RespClient } from "../support/resp-client.ts";

/** Replies that tell a time may differ by as much as the test takes. */
const TIMES: ReadonlyMap<string, number> = new Map([
  ["ttl", 3],
  ["expiretime", 3],
  ["pttl", 3000],
  ["pexpiretime", 3000],
]);
/** Redis gives keys in no order, and we in byte order. */
const UNORDERED: ReadonlySet<string> = new Set(["keys", "scan"]);

/** What two replies that mean the same have in common. */
function sameAs(command: string, ours: string, theirs: string): boolean {
  if (ours === theirs) return true;
  const difference = TIMES.get(command);
  if (difference !== undefined && ours.startsWith(":") && theirs.startsWith(":")) {
    return Math.abs(Number(ours.slice(1)) - Number(theirs.slice(1))) <= difference;
  }
  // Redis counts keys that have expired until it comes across them.
  if (command === "dbsize") return Number(ours.slice(1)) <= Number(theirs.slice(1));
  return UNORDERED.has(command) && sorted(ours) === sorted(theirs);
}

function sorted(reply: string): string {
  return reply.split("$").sort().join("$");
}

/** Which command each reply answers: within EXEC's answer, the queued ones' times differ as well. */
function differences(session: readonly RandomCommand[], ours: readonly string[], theirs: readonly string[]): string[] {
  return session.flatMap((command, index) => {
    const name = command[0]?.toString("latin1").toLowerCase() ?? "";
    const [own = "", other = ""] = [ours[index], theirs[index]];
    if (sameAs(name, own, other) || (name === "exec" && withoutTimes(own) === withoutTimes(other))) return [];
    const words = command.map((word) => JSON.stringify(word.toString("latin1").slice(0, 60))).join(" ");
    return [
      `${words}\n  ours:   ${JSON.stringify(own.slice(0, 300))}\n  theirs: ${JSON.stringify(other.slice(0, 300))}`,
    ];
  });
}

function withoutTimes(reply: string): string {
  return reply.replaceAll(/:\d{3,}\r\n/g, ":time\r\n");
}

/** Counterexamples are told as differences: their bytes are of no use to a reader. */
async function assertAlike(property: fc.IAsyncPropertyWithHooks<[RandomCommand[]]>): Promise<void> {
  const run = await fc.check(property, { numRuns: Number(process.env["RESP_RUNS"] ?? 200) });
  if (!run.failed) return;
  const reason = run.errorInstance instanceof Error ? run.errorInstance.message : String(run.errorInstance);
  assert.fail(`seed ${run.seed}, path ${run.counterexamplePath}: ${reason}`);
}

describe(
  "the RESP front door beside Redis",
  { skip: hasProgram("redis-server") ? false : "redis-server is not installed" },
  () => {
    let redis: Awaited<ReturnType<typeof startRedis>>;
    let memory: Awaited<ReturnType<typeof startMemoryRespServer>>;

    before(async () => {
      redis = await startRedis();
      memory = await startMemoryRespServer();
    });
    after(async () => {
      await memory.server.close();
      await redis.stop();
    });

    async function both(session: readonly RandomCommand[], protocol: "2" | "3"): Promise<[string[], string[]]> {
      const run = async (address: string): Promise<string[]> => {
        const client = await RespClient.open(address);
        await client.askAll([["FLUSHALL"], ["HELLO", protocol]]);
        const replies = await client.askAll(session);
        client.close();
        return replies;
      };
      return Promise.all([run(memory.server.address), run(redis.address)]);
    }

    for (const protocol of ["2", "3"] as const) {
      test(`random sessions get the same replies, byte for byte, in RESP${protocol}`, async () => {
        const property = fc.asyncProperty(aSession, async (session) => {
          const [ours, theirs] = await both(session, protocol);
          assert.equal(differences(session, ours, theirs).join("\n"), "");
        });
        await assertAlike(property);
      });
    }
  },
);
