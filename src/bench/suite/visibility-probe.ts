/**
 * Writes at a leader and watches its replica: how long after the leader's answer (its commit) the replica shows the write. A
 * process of its own, so that nothing of the suite makes it late. Started with the RESP ports of leader and replica, the
 * seconds and the writes a second; prints the delays in milliseconds as a JSON array.
 */
import { setTimeout as sleep } from "node:timers/promises";
import { HOST } from "./cores.ts";
import { RespConnection } from "./resp-connection.ts";

const KEY = "visibility-probe";
const PATIENCE_MS = 10_000;

async function main([leaderPort = 0, replicaPort = 0, seconds = 0, rate = 1]: readonly number[]): Promise<void> {
  const leader = await RespConnection.open(HOST, leaderPort);
  const replica = await RespConnection.open(HOST, replicaPort);
  // From here on the replica answers from its own copy.
  await replica.ask("READONLY");
  const delaysMs: number[] = [];
  const startedMs = performance.now();
  for (let probe = 0; performance.now() < startedMs + seconds * 1000; probe++) {
    delaysMs.push(await measureOnce(leader, replica, String(probe)));
    const nextMs = startedMs + ((probe + 1) / rate) * 1000;
    await sleep(Math.max(0, nextMs - performance.now()));
  }
  console.log(JSON.stringify(delaysMs));
  leader.close();
  replica.close();
}

/** Asks the replica again as soon as it has answered: the delay is known to one round trip, which it includes. */
async function measureOnce(leader: RespConnection, replica: RespConnection, value: string): Promise<number> {
  await leader.ask("SET", KEY, value);
  const committedMs = performance.now();
  for (;;) {
    const shown = await replica.ask("GET", KEY);
    const delayMs = performance.now() - committedMs;
    if (shown === value) return delayMs;
    if (delayMs > PATIENCE_MS) throw new Error(`the replica still shows ${shown} instead of ${value}`);
  }
}

await main(process.argv.slice(2).map(Number));
