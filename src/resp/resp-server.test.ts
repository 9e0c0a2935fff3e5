import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { KvError } from "../model/errors.ts";
import type { MemoryGateway } from "../../tests/support/memory-gateway.ts";
import { startMemoryRespServer } from "../../tests/support/memory-resp-server.ts";
import { encodeCommand, RespClient } from "../../tests/support/resp-client.ts";
import type { RespServer } from "./resp-server.ts";

let server: RespServer;
let gateway: MemoryGateway;
before(async () => {
  ({ server, gateway } = await startMemoryRespServer());
});
after(async () => server.close());

/** Opens a connection that is closed when the test is over. */
async function connected(t: { after: (run: () => void) => void }): Promise<RespClient> {
  const client = await RespClient.open(server.address);
  t.after(() => client.close());
  return client;
}

const bulk = (text: string): string => `$${text.length}\r\n${text}\r\n`;

describe("a connection of a Redis client", () => {
  test("gets its replies in the order of its commands, in RESP2 and RESP3, whatever was pipelined", async (t) => {
    const client = await connected(t);
    const replies = await client.askAll([
      ["GET", "none"],
      ["HELLO", "3"],
      ["GET", "none"],
      ["MGET", "none"],
      ["RESET"],
      ["GET", "none"],
    ]);
    assert.equal(replies[0], "$-1\r\n");
    assert.match(replies[1] ?? "", /^%7\r\n/);
    assert.deepEqual(replies.slice(2), ["_\r\n", "*1\r\n_\r\n", "+RESET\r\n", "$-1\r\n"]);
  });

  test("takes lines typed by hand and the end of what is typed", async () => {
    const client = await RespClient.open(server.address);
    client.socket.end("SET typed 'by hand'\r\nGET typed\r\nget typed");
    assert.equal(await client.readToEnd(), `+OK\r\n${bulk("by hand")}`);
  });

  test("hears of a protocol fault behind the replies it is owed, and is closed", async () => {
    const client = await RespClient.open(server.address);
    client.send("PING\r\n*1\r\n$4\r\nPING\r\n*1\r\n!\r\nPING\r\n");
    assert.equal(await client.readToEnd(), "+PONG\r\n+PONG\r\n-ERR Protocol error: expected '$', got '!'\r\n");
  });

  test("takes nothing from a web page: HTTP ends the connection before the request's body is reached", async (t) => {
    const rest = "Origin: http://elsewhere.example\r\nContent-Length: 12\r\n\r\nSET forged 1\r\n";
    const fault = "-ERR Protocol error: HTTP is not spoken at this port\r\n";
    const posting = await RespClient.open(server.address);
    posting.send(`POST / HTTP/1.1\r\nHost: localhost\r\n${rest}`);
    assert.equal(await posting.readToEnd(), fault);
    const putting = await RespClient.open(server.address);
    putting.send(`PUT / HTTP/1.1\r\nhOST: localhost\r\n${rest}`);
    const text = await putting.readToEnd();
    assert.match(text, /^-ERR unknown command 'PUT'/);
    assert.ok(text.endsWith(fault), text);
    const other = await connected(t);
    assert.equal(await other.ask("EXISTS", "forged"), ":0\r\n");
    assert.match(
      await other.ask("POST", "/"),
      /^-ERR unknown command 'POST'/,
      "as a command of a client it is harmless",
    );
  });

  test("is closed behind QUIT, and nothing behind it is carried out", async () => {
    const client = await RespClient.open(server.address);
    client.send("SET quitting 1\r\nQUIT\r\nSET quitting 2\r\n");
    assert.equal(await client.readToEnd(), "+OK\r\n+OK\r\n");
    const other = await RespClient.open(server.address);
    assert.equal(await other.ask("GET", "quitting"), bulk("1"));
    other.close();
  });

  test("answers 100,000 pipelined commands without holding them all, and others meanwhile", async (t) => {
    const client = await connected(t);
    const other = await connected(t);
    const count = 100_000;
    client.send(Buffer.concat(Array.from({ length: count }, () => encodeCommand(["INCR", "pipelined"]))));
    let waitMsMax = 0;
    const progress = { isCounting: true };
    const counting = (async () => {
      for (let seen = 1; seen <= count; seen++) assert.equal(await client.read(), `:${seen}\r\n`);
    })().finally(() => {
      progress.isCounting = false;
    });
    while (progress.isCounting) {
      await sleep(5);
      const startedMs = performance.now();
      await other.ask("PING");
      waitMsMax = Math.max(waitMsMax, performance.now() - startedMs);
    }
    await counting;
    assert.ok(waitMsMax < 1000, `another connection waited for ${waitMsMax} ms`);
  });

  test("that takes no replies is not read from, so that nothing gathers", async (t) => {
    const client = await connected(t);
    const value = Buffer.alloc(100_000, 1);
    await client.ask("SET", "large", value);
    client.socket.pause();
    gateway.asked = [];
    client.send(Buffer.concat(Array.from({ length: 2000 }, () => encodeCommand(["GET", "large"]))));
    await sleep(300);
    const taken = gateway.asked.length;
    gateway.asked = null;
    assert.ok(taken < 400, `${taken} of 2,000 reads were carried out for a client that takes nothing`);
    client.socket.resume();
    for (let left = 2000; left > 0; left--) assert.equal((await client.read()).length, value.length + 11);
  });

  test("keeps its order although answers come late, and holds what must come after them", async (t) => {
    const client = await connected(t);
    gateway.hold();
    const replies = client.askAll([["SET", "held", "1"], ["PING"], ["GET", "held"], ["DBSIZE"], ["GET", "held"]]);
    await sleep(50);
    assert.equal(gateway.heldCount, 2, "DBSIZE waits for what was sent before it");
    gateway.release();
    const [set, ping, get, , last] = await replies;
    assert.deepEqual([set, ping, get, last], ["+OK\r\n", "+PONG\r\n", bulk("1"), bulk("1")]);
  });

  test("beyond the maximum is turned away in Redis' words", async () => {
    const small = await startMemoryRespServer({ connectionsMax: 1 });
    const first = await RespClient.open(small.server.address);
    assert.equal(await first.ask("PING"), "+PONG\r\n");
    const second = await RespClient.open(small.server.address);
    assert.equal(await second.readToEnd(), "-ERR max number of clients reached\r\n");
    await Promise.all([small.server.close(), first.readToEnd()]);
  });
});

describe("answers that are not ok", () => {
  test("say what is known: not applied for now, or nobody knows", async (t) => {
    const client = await connected(t);
    gateway.failure = new KvError("NO_LEADER", "No leader\r\nis known");
    assert.equal(await client.ask("SET", "a", "1"), "-TRYAGAIN No leader  is known\r\n");
    gateway.failure = new KvError("UNKNOWN_OUTCOME", "The connection broke");
    assert.equal(await client.ask("MSET", "a", "1", "b", "2"), "-UNKNOWN The connection broke\r\n");
    assert.deepEqual(await client.askAll([["MULTI"], ["SET", "a", "1"], ["EXEC"]]), [
      "+OK\r\n",
      "+QUEUED\r\n",
      "-UNKNOWN The connection broke\r\n",
    ]);
    assert.equal(await client.ask("SCAN", "0"), "-UNKNOWN The connection broke\r\n");
    gateway.failure = null;
    assert.match(await client.ask("GET", ""), /^-ERR The key is missing or empty/);
    assert.match(await client.ask("SET", "k", Buffer.alloc(17_000_000)), /^-ERR The value has 17000000 bytes/);
    assert.match(await client.ask("APPEND", "k", Buffer.alloc(1_048_577)), /^-ERR string exceeds maximum allowed size/);
    assert.match(await client.ask("KEYS", "x".repeat(300)), /^-ERR the pattern has 300 bytes/);
  });
});

describe("WATCH", () => {
  test("gives up a transaction in which EXEC, DISCARD, MULTI or WATCH has the wrong number of words, as Redis does", async (t) => {
    const client = await connected(t);
    const aborted = "-EXECABORT Transaction discarded because of previous errors.\r\n";
    for (const words of [["DISCARD", "x"], ["MULTI", "x"], ["WATCH"]]) {
      const replies = await client.askAll([["MULTI"], ["SET", "spoilt", "1"], words, ["EXEC"]]);
      assert.equal(replies.at(-1), aborted, words[0]);
    }
    const replies = await client.askAll([["MULTI"], ["SET", "spoilt", "1"], ["EXEC", "x"], ["EXEC"]]);
    assert.deepEqual(replies.slice(2), [
      "-EXECABORT Transaction discarded because of: wrong number of arguments for 'exec' command\r\n",
      "-ERR EXEC without MULTI\r\n",
    ]);
    assert.equal(await client.ask("EXISTS", "spoilt"), ":0\r\n");
  });

  const refused: readonly (readonly [words: string, error: string])[] = [
    ["CLIENT SETNAME", "wrong number of arguments for 'client|setname' command"],
    ["CLIENT ID x", "wrong number of arguments for 'client|id' command"],
    ["CLIENT FOO", "unknown subcommand 'FOO'. Try CLIENT HELP."],
    ["CONFIG GET", "wrong number of arguments for 'config|get' command"],
    ["COMMAND COUNT x", "wrong number of arguments for 'command|count' command"],
    ["COMMAND FOO", "unknown subcommand 'FOO'. Try COMMAND HELP."],
    ["DBSIZE", "DBSIZE asks every shard: it has no place in a transaction, which lives on one"],
  ];
  for (const [words, error] of refused) {
    test(`refuses ${words} when it is to be queued, and the transaction with it`, async (t) => {
      const client = await connected(t);
      assert.deepEqual(await client.askAll([["MULTI"], ["SET", "spoilt", "1"], words.split(" "), ["EXEC"]]), [
        "+OK\r\n",
        "+QUEUED\r\n",
        `-ERR ${error}\r\n`,
        "-EXECABORT Transaction discarded because of previous errors.\r\n",
      ]);
    });
  }

  test("keeps EXEC from happening when another connection has changed a key, and only then", async (t) => {
    const [one, two] = [await connected(t), await connected(t)];
    const transact = async (between: () => Promise<unknown>): Promise<string> => {
      await one.ask("WATCH", "watched", "absent");
      await between();
      const replies = await one.askAll([["MULTI"], ["SET", "seen", "x"], ["GET", "watched"], ["EXEC"]]);
      return replies[3] ?? "";
    };
    await one.ask("SET", "watched", "1");
    assert.equal(await transact(async () => two.ask("GET", "watched")), `*2\r\n+OK\r\n${bulk("1")}`);
    assert.equal(await transact(async () => two.ask("SET", "watched", "1")), "*-1\r\n");
    assert.equal(await transact(async () => two.ask("SET", "absent", "1")), "*-1\r\n");
    assert.equal(await transact(async () => one.ask("UNWATCH")), `*2\r\n+OK\r\n${bulk("1")}`);
    assert.equal(await transact(async () => two.ask("FLUSHALL")), "*-1\r\n");
    await one.askAll([["WATCH", "watched"], ["SET", "watched", "2"], ["MULTI"]]);
    assert.equal(await one.ask("EXEC"), "*-1\r\n", "nothing was queued, and yet the key has changed");
  });
});

test("a server that says farewell takes no new clients, and answers those it has until it closes", async () => {
  const { server: leaving } = await startMemoryRespServer();
  const { address } = leaving;
  const client = await RespClient.open(address);
  const farewell = leaving.farewell();
  await assert.rejects(RespClient.open(address), { code: "ECONNREFUSED" });
  assert.equal(await client.ask("SET", "k", "v"), "+OK\r\n");
  await farewell;
  assert.equal(await client.ask("GET", "k"), bulk("v"));
  const closed = leaving.close();
  assert.equal(await client.readToEnd(), "");
  await closed;
});

describe("SCAN", () => {
  test("gives every key that is there all the time exactly once, whatever comes and goes", async (t) => {
    const client = await connected(t);
    await client.ask("FLUSHALL");
    const keys = Array.from({ length: 500 }, (_, index) => `scan:${index}`);
    await client.askAll(keys.map((key) => ["SET", key, "1"]));
    const seen: string[] = [];
    let cursor = "0";
    let round = 0;
    do {
      const reply = (await client.ask("SCAN", cursor, "MATCH", "scan:*", "COUNT", "17")).split("\r\n");
      cursor = reply[2] ?? "";
      for (let at = 5; at < reply.length - 1; at += 2) seen.push(reply[at] ?? "");
      await client.askAll([
        ["SET", `scan:x${round}`, "1"],
        ["DEL", `scan:x${round - 1}`],
      ]);
      round++;
    } while (cursor !== "0");
    assert.ok(round > 10);
    assert.deepEqual(seen.filter((key) => !key.includes("x")).sort(), [...keys].sort());
    assert.equal(await client.ask("SCAN", "99999999"), "-ERR invalid cursor\r\n");
    assert.match(await client.ask("SCAN", "0", "TYPE", "hash", "COUNT", "1000"), /^\*2\r\n\$1\r\n0\r\n\*0\r\n$/);
    assert.match(await client.ask("RANDOMKEY"), /scan:/);
    assert.equal(await client.ask("DBSIZE"), ":501\r\n");
  });
});
