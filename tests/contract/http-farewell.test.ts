import assert from "node:assert/strict";
import { test } from "node:test";
import { LIMITS } from "../../src/model/limits.ts";
import { RawConnection, send } from "../support/http-client.ts";
import { startLocalHttp } from "../support/local-http.ts";

const HOT = "GET /v1/kv/none HTTP/1.1\r\nHost: localhost\r\n\r\n";
const ORDINARY = "GET /v1/kv?prefix=none HTTP/1.1\r\nHost: localhost\r\n\r\n";
const BODY_BYTES_LARGE = 3_000_000;

for (const [path, isFastPathOn] of [
  ["fast path", true],
  ["ordinary path", false],
] as const) {
  test(`a server that says farewell answers once more on each connection, and says that it closes (${path})`, async (t) => {
    const { server, address } = await startLocalHttp(t, { isFastPathOn });
    const idle = await RawConnection.open(address);
    idle.write(HOT);
    await idle.answers(1);
    const asking = await RawConnection.open(address);
    asking.write(HOT);
    await asking.answers(1);
    const changing = await RawConnection.open(address);
    changing.write(HOT.slice(0, 20));
    await changing.drained();

    const farewell = server.farewell();
    await assert.rejects(RawConnection.open(address), { code: "ECONNREFUSED" });
    asking.write(HOT);
    const [, last] = await asking.answers(2);
    assert.equal(last?.status, 404);
    assert.equal(last.headers["connection"], "close");
    await asking.ended();
    // The end of a request that began before, and one that leaves the fast path.
    changing.write(HOT.slice(20));
    assert.equal((await changing.answers(1))[0]?.headers["connection"], "close");
    await changing.ended();
    assert.equal(idle.isEnded, false, "who asks nothing stays");
    await farewell;
    idle.write(ORDINARY);
    assert.equal((await idle.answers(2))[1]?.headers["connection"], "close");
    await idle.ended();
    await server.close();
  });
}

test("idle clients are sent away when the farewell is over; without clients it is over at once", async (t) => {
  const { server, address } = await startLocalHttp(t);
  const client = await RawConnection.open(address);
  client.write(HOT);
  await client.answers(1);
  const startedMs = performance.now();
  await server.farewell();
  // The timer counts whole milliseconds.
  assert(performance.now() - startedMs > LIMITS.farewellMs - 2);
  assert.equal(client.isEnded, false);
  const closed = server.close();
  await client.ended();
  await closed;

  const other = await startLocalHttp(t);
  await other.server.farewell();
  await other.server.close();
});

test("behind the answer that says so nothing is carried out, and a large one arrives whole although the server closes", async (t) => {
  const { server, gateway, address } = await startLocalHttp(t, { closeGraceMs: 5000 });
  await send(address, { method: "PUT", path: "/v1/kv/large", body: "x".repeat(BODY_BYTES_LARGE) });
  const client = await RawConnection.open(address);
  client.write(HOT);
  await client.answers(1);
  const farewell = server.farewell();
  client.socket.pause();
  const write = "PUT /v1/kv/behind HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1\r\n\r\n1";
  client.write(`GET /v1/kv/large HTTP/1.1\r\nHost: localhost\r\n\r\n${write}`);
  await client.drained();
  await farewell;
  const closed = server.close();
  client.socket.resume();
  const [, large] = await client.answers(2);
  assert.equal(large?.body.length, BODY_BYTES_LARGE);
  assert.equal(large.headers["connection"], "close");
  await client.ended();
  await closed;
  assert(!gateway.asked?.some(({ operation }) => operation.key.toString().includes("behind")));
});
