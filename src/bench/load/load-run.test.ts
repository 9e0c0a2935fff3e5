import assert from "node:assert/strict";
import { type AddressInfo, createServer, type Socket } from "node:net";
import { test, type TestContext } from "node:test";
import { SeededRandom } from "../../base/random.ts";
import { openConnections } from "./connection-set.ts";
import { InsertOrder } from "./insert-order.ts";
import { keyChooser } from "./key-chooser.ts";
import { type LoadOptions, loadPlanOf } from "./load-options.ts";
import { CLOSED_LOOP, openLoop } from "./load-pace.ts";
import { type LoadOutcome, LoadRun, type LoadRunParts } from "./load-run.ts";
import { MixSource } from "./mix-source.ts";
import { PreloadSource } from "./preload-source.ts";
import { Records } from "./records.ts";
import type { Workload } from "./workload.ts";

const KEYS = 100;
const records = new Records("bench:", 32);
const READS: Workload["shares"] = [["read", 1]];
const STALL_MS = 400;

test("a server that stalls shows its stall in an open loop, with a bounded number of requests under way", async (t) => {
  const server = await startServer(t);
  setTimeout(() => server.stall(STALL_MS), 300);
  const outcome = await load(server, READS, { pace: openLoop(1000), durationMs: 1500 });
  assert.equal(outcome.statistics.failures.first, null);
  assert.equal(outcome.statistics.answered, 1500, "every request that was due was sent");
  // 400 of the 1,500 fall into the stall and wait 200 ms on average: the p99 is that of nearly the first of them.
  const { p90, p99, max } = outcome.statistics.latencies().figures();
  assert.ok(p99 >= STALL_MS * 0.85, `p99 ${p99}`);
  assert.ok(p90 >= STALL_MS * 0.4, `p90 ${p90}`);
  assert.ok(max >= STALL_MS * 0.95, `max ${max}`);
  assert.ok(outcome.backlogMax >= 300, `backlog ${outcome.backlogMax}`);
  assert.equal(outcome.backlogEnd, 0);
  assert.ok(server.underWayMax <= 8, `${server.underWayMax} under way over 2 connections × 4`);
});

test("the same stall meets only what is under way in a closed loop", async (t) => {
  const server = await startServer(t);
  setTimeout(() => server.stall(STALL_MS), 300);
  const { statistics } = await load(server, READS, { durationMs: 1200 });
  const waited = statistics.latencies();
  assert.ok(waited.figures().max >= STALL_MS * 0.9);
  assert.ok(statistics.answered > 100, `${statistics.answered} answers`);
  // Eight operations were under way: all others were quick, and who would have asked meanwhile is not among them.
  const others = waited.percentile(100 * (1 - 8 / statistics.answered));
  assert.ok(others < STALL_MS / 2, `the slowest of the others took ${others} ms`);
});

test("a server that answers nothing leaves a backlog, which is a number, and failures", async (t) => {
  const server = await startServer(t);
  server.stall(60_000);
  const outcome = await load(server, READS, { pace: openLoop(50_000), durationMs: 300, timeoutMs: 500 });
  assert.ok(outcome.backlogMax > 10_000, `${outcome.backlogMax}`);
  assert.ok(outcome.backlogEnd > 10_000, `${outcome.backlogEnd}`);
  assert.equal(outcome.statistics.answered, 0);
  assert.ok((outcome.statistics.failures.byKind().get("TIMEOUT")?.count ?? 0) >= 8);
});

test("a load of N operations sends N, and counts every failure once, by kind", async (t) => {
  const server = await startServer(t);
  const odd = [
    "$-1\r\n",
    "-TRYAGAIN wait\r\n",
    `$32\r\n${"z".repeat(32)}\r\n`,
    "$3\r\nabc\r\n",
    "-TRYAGAIN again\r\n",
    null,
  ];
  server.instead = () => (odd.length > 0 ? odd.shift() : undefined);
  const { statistics } = await load(server, READS, { countMax: 500, connections: 1, pipeline: 1 });
  const kinds = Object.fromEntries(statistics.failures.byKind());
  assert.equal(statistics.answered, 494);
  assert.equal(server.commandCount, 500);
  assert.deepEqual(kinds["TRYAGAIN"], { count: 2, first: "TRYAGAIN wait" });
  assert.equal(kinds["MISSING"]?.count, 1);
  assert.equal(kinds["WRONG_VALUE"]?.count, 2);
  assert.equal(kinds["CONNECTION"]?.count, 1);
  assert.equal(statistics.failures.total, 6);
  assert.match(statistics.failures.first ?? "", /^MISSING: .*--load/);
});

test("a broken connection loses what was under way on it and the load goes on over a new one", async (t) => {
  const server = await startServer(t);
  setTimeout(() => server.dropAll(), 150);
  const { statistics } = await load(server, READS, { durationMs: 500 });
  const lost = statistics.failures.byKind().get("CONNECTION")?.count ?? 0;
  assert.ok(lost >= 1 && lost <= 8, `${lost} lost`);
  assert.ok(statistics.answered > 100);
});

test("a load whose server is gone for good ends, and says so", async (t) => {
  const server = await startServer(t);
  setTimeout(() => server.close(), 100);
  const { statistics } = await load(server, READS, { countMax: 1e9, timeoutMs: 300 });
  assert.ok((statistics.failures.byKind().get("CONNECTION")?.count ?? 0) >= 1);
  assert.ok(statistics.answered > 10);
});

test("a read-modify-write is a read and then a write of the same key, and one operation", async (t) => {
  const server = await startServer(t);
  const { statistics } = await load(server, [["readModifyWrite", 1]], { countMax: 50, connections: 1, pipeline: 1 });
  assert.equal(statistics.answered, 50);
  assert.equal(server.commands.length, 100);
  for (let i = 0; i < 100; i += 2) {
    const [read = "", write = ""] = server.commands.slice(i, i + 2);
    assert.equal(write, read.replace("GET", "SET"));
  }
});

test("the warm-up is not measured", async (t) => {
  const server = await startServer(t);
  const { statistics } = await load(server, READS, { pace: openLoop(500), warmupMs: 400, durationMs: 400 });
  assert.equal(statistics.answered, 200);
  assert.equal(server.commandCount, 400);
});

test("preloading writes every key, again where it was refused", async (t) => {
  const server = await startServer(t);
  let count = 0;
  server.instead = () => (++count % 7 === 0 ? "-TRYAGAIN full\r\n" : undefined);
  const source = new PreloadSource(records, KEYS);
  await load(server, READS, { source });
  assert.equal(source.writtenCount, KEYS);
  assert.deepEqual(new Set(server.commands).size, KEYS);
});

test("with several groups every key goes over connections of its own", async (t) => {
  const server = await startServer(t);
  const groupBySocket = new Map<number, number>();
  server.onCommand = (socket, index) => {
    assert.equal(groupBySocket.get(socket) ?? index % 3, index % 3);
    groupBySocket.set(socket, index % 3);
  };
  for (const pace of [CLOSED_LOOP, openLoop(2000)]) {
    groupBySocket.clear();
    const groups = { groupCount: 3, groupOf: (index: number): number => index % 3 };
    const { statistics } = await load(server, READS, { ...groups, pace, durationMs: 300 });
    assert.equal(statistics.failures.first, null);
    assert.ok(statistics.answered > 300);
    assert.equal(new Set(groupBySocket.values()).size, 3);
  }
});

test("a node that refuses connections is said at once", async () => {
  await assert.rejects(
    load({ port: 1 }, READS, { countMax: 1 }),
    /only 0 of 2 connections could be opened: .*ECONNREFUSED/,
  );
});

type LoadChanges = Partial<LoadRunParts> & { readonly connections?: number; readonly pipeline?: number };

async function load(
  server: { readonly port: number },
  shares: Workload["shares"],
  changes: LoadChanges,
): Promise<LoadOutcome> {
  const { connections = 2, pipeline = 4, ...parts } = changes;
  const options: LoadOptions = { protocol: "resp", respPort: String(server.port), connections: String(connections) };
  const plan = loadPlanOf(
    { ...options, valueBytes: "32", pipeline: String(pipeline) },
    { node: () => "127.0.0.1:1", respAddresses: () => new Map(), seed: 1 },
  );
  const random = new SeededRandom(4);
  const inserts = new InsertOrder(KEYS);
  const chooseKey = keyChooser({ distribution: "uniform", theta: 0.9, keyCount: KEYS, random, inserts });
  const run = new LoadRun({
    source: new MixSource({ shares, chooseKey, inserts, records, random }),
    pace: CLOSED_LOOP,
    groupOf: () => 0,
    groupCount: 1,
    warmupMs: 0,
    durationMs: Infinity,
    countMax: Infinity,
    timeoutMs: 5000,
    restsAfterFailure: false,
    onProgress: () => {},
    ...parts,
  });
  const groups = Array.from({ length: parts.groupCount ?? 1 }, () => plan.nodes);
  const targets = { groups, isOrdered: true, groupOf: parts.groupOf ?? (() => 0) };
  const opened = openConnections(plan, { targets, records, owner: run, depth: pipeline });
  try {
    return await run.run(opened);
  } finally {
    for (const connection of opened) connection.close();
  }
}

interface TestServer {
  readonly port: number;
  readonly commands: string[];
  commandCount: number;
  underWayMax: number;
  /** What to answer instead; undefined: the right answer, null: close the connection. */
  instead: () => string | null | undefined;
  onCommand: (socket: number, index: number) => void;
  /** Answers nothing for so long, then everything that was asked meanwhile. */
  stall: (ms: number) => void;
  dropAll: () => void;
  close: () => void;
}

/** A server that answers GET with the right value and SET with OK. */
async function startServer(t: TestContext): Promise<TestServer> {
  const sockets = new Map<Socket, string>();
  const pending: (() => void)[] = [];
  let stalledTimer: NodeJS.Timeout | null = null;
  const answerAll = (): void => {
    stalledTimer = null;
    for (const run of pending.splice(0)) run();
  };
  const listener = createServer((socket) => {
    const number = sockets.size;
    sockets.set(socket, "");
    socket.setNoDelay(true);
    socket.on("error", () => {});
    socket.on("close", () => sockets.delete(socket));
    socket.on("data", (chunk: Buffer) => {
      const { commands, rest } = cutCommands((sockets.get(socket) ?? "") + chunk.toString("latin1"));
      sockets.set(socket, rest);
      for (const command of commands) take(socket, number, command);
      server.underWayMax = Math.max(server.underWayMax, pending.length);
      if (stalledTimer === null) answerAll();
    });
  });
  const take = (socket: Socket, number: number, command: string): void => {
    const index = Number(command.slice(-10));
    server.commands.push(command);
    server.commandCount += 1;
    server.onCommand(number, index);
    const value = records.valueOf(index, 0);
    const right = command.startsWith("GET") ? `$${value.length}\r\n${value}\r\n` : "+OK\r\n";
    const instead = server.instead();
    pending.push(() => {
      if (instead === null) socket.destroy();
      else socket.write(instead ?? right, "latin1");
    });
  };
  await new Promise<void>((resolve) => {
    listener.listen(0, "127.0.0.1", resolve);
  });
  t.after(() => {
    if (stalledTimer !== null) clearTimeout(stalledTimer);
    for (const socket of sockets.keys()) socket.destroy();
    listener.close();
  });
  const server: TestServer = {
    port: (listener.address() as AddressInfo).port,
    commands: [],
    commandCount: 0,
    underWayMax: 0,
    instead: () => undefined,
    onCommand: () => {},
    stall: (ms) => {
      stalledTimer = setTimeout(answerAll, ms);
    },
    dropAll: () => {
      for (const socket of sockets.keys()) socket.destroy();
    },
    close: () => {
      listener.close();
      server.dropAll();
    },
  };
  return server;
}

/** `GET key` and `SET key` for each whole command. */
function cutCommands(text: string): { commands: string[]; rest: string } {
  const commands: string[] = [];
  const pattern =
    /\*(?:2\r\n\$3\r\n(GET)\r\n\$\d+\r\n([^\r]+)\r\n|3\r\n\$3\r\n(SET)\r\n\$\d+\r\n([^\r]+)\r\n\$\d+\r\n[^\r]*\r\n)/y;
  let end = 0;
  for (let match = pattern.exec(text); match !== null; match = pattern.exec(text)) {
    commands.push(`${match[1] ?? match[3]} ${match[2] ?? match[4]}`);
    end = pattern.lastIndex;
  }
  return { commands, rest: text.slice(end) };
}
