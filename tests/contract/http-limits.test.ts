import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { silentLogger } from "../../src/base/logger.ts";
import { SystemClock } from "../../src/base/system-clock.ts";
import { startHttpServer } from "../../src/http/http-server.ts";
import { KvError } from "../../src/model/errors.ts";
import { RawConnection, send, type TestResponse } from "../support/http-client.ts";
import { eventually, metricOf, startLocalHttp } from "../support/local-http.ts";

const HOST = "Host: localhost\r\n";
const VALUE_BYTES_MAX = 16_777_216;

function codeOf(answer: TestResponse | undefined): unknown {
  return (answer?.json() as { code: string } | undefined)?.code;
}

function putHead(key: string, byteCount: number): string {
  return `PUT /v1/kv/${key} HTTP/1.1\r\n${HOST}Content-Length: ${byteCount}\r\n\r\n`;
}

describe("slow clients", () => {
  test("a header block that does not end in time is answered with 408, and the connection closes", async (context) => {
    const { address } = await startLocalHttp(context, { headerDeadlineMs: 300, sweepMs: 30 });
    const connection = await RawConnection.open(address);
    const startedMs = performance.now();
    connection.write("GET /healthz HTTP/1.1\r\n");
    for (let line = 0; !connection.isEnded && line < 200; line++) {
      connection.write(`X-${line}: a\r\n`);
      await sleep(20);
    }
    await connection.ended();
    assert.ok(performance.now() - startedMs < 3000);
    const [answer] = await connection.answers(1);
    assert.equal(answer?.status, 408);
    assert.equal(codeOf(answer), "REQUEST_TIMEOUT");
    connection.destroy();
  });

  test("a connection on which nothing ever comes is closed", async (context) => {
    const { address, server } = await startLocalHttp(context, { headerDeadlineMs: 200, sweepMs: 30 });
    const connection = await RawConnection.open(address);
    await connection.ended();
    connection.destroy();
    await eventually("the connection is gone", () => server.connectionCount === 0);
  });

  test("a connection that is idle after an answer is closed without a word", async (context) => {
    const { address } = await startLocalHttp(context, { idleMsMax: 200, sweepMs: 30 });
    const connection = await RawConnection.open(address);
    connection.write(`GET /healthz HTTP/1.1\r\n${HOST}\r\n`);
    await connection.ended();
    assert.equal((await connection.answers(1)).length, 1);
    connection.destroy();
  });

  test("the deadline for headers does not run while a connection is idle between requests", async (context) => {
    const { address } = await startLocalHttp(context, { headerDeadlineMs: 150, sweepMs: 20 });
    const connection = await RawConnection.open(address);
    for (let round = 1; round <= 3; round++) {
      connection.write(`GET /healthz HTTP/1.1\r\n${HOST}\r\n`);
      assert.equal((await connection.answers(round)).length, round);
      await sleep(400);
    }
    connection.destroy();
  });

  for (const framing of ["Content-Length: 100000", "Transfer-Encoding: chunked"]) {
    test(`a body below the minimum rate is answered with 408, and the connection closes (${framing})`, async (context) => {
      const { address, gateway } = await startLocalHttp(context, {
        sweepMs: 20,
        bodyPeriodSweeps: 5,
        bodyBytesPerPeriodMin: 1000,
      });
      const connection = await RawConnection.open(address);
      connection.write(`PUT /v1/kv/slow HTTP/1.1\r\n${HOST}${framing}\r\n\r\n`);
      for (let sent = 0; !connection.isEnded && sent < 200; sent++) {
        connection.write(framing.startsWith("C") ? "x" : "1\r\nx\r\n");
        await sleep(20);
      }
      await connection.ended();
      const [answer] = await connection.answers(1);
      assert.equal(answer?.status, 408);
      assert.equal(gateway.asked?.length, 0);
      assert.equal(await metricOf(address, "kv_http_body_bytes_in_flight"), 0);
      connection.destroy();
    });
  }

  test("a body that keeps the minimum rate over many periods is taken", async (context) => {
    const { address } = await startLocalHttp(context, {
      sweepMs: 20,
      bodyPeriodSweeps: 5,
      bodyBytesPerPeriodMin: 1000,
    });
    const connection = await RawConnection.open(address);
    connection.write(putHead("steady", 100_000));
    for (let sent = 0; sent < 50; sent++) {
      connection.write(Buffer.alloc(2000));
      await sleep(15);
    }
    const [answer] = await connection.answers(1);
    assert.equal(answer?.status, 201);
    connection.destroy();
  });

  test("a client that does not take its answer is cut off, and holds one value at most", async (context) => {
    const { address, gateway, server } = await startLocalHttp(context, { sweepMs: 30, stalledSweepsMax: 10 });
    await send(address, { method: "PUT", path: "/v1/kv/large", body: Buffer.alloc(VALUE_BYTES_MAX) });
    const connection = await RawConnection.open(address);
    connection.socket.pause();
    connection.write(`GET /v1/kv/large HTTP/1.1\r\n${HOST}\r\n`.repeat(100));
    await eventually("the first read is carried out", () => gateway.asked?.length === 2);
    await eventually("the client is cut off", () => server.connectionCount === 0);
    assert.equal(gateway.asked?.length, 2);
    connection.destroy();
  });

  test("a client that takes its answer slowly but steadily gets all of it", async (context) => {
    const { address } = await startLocalHttp(context, { sweepMs: 20, stalledSweepsMax: 10 });
    await send(address, { method: "PUT", path: "/v1/kv/large", body: Buffer.alloc(VALUE_BYTES_MAX, "v") });
    const connection = await RawConnection.open(address);
    connection.write(`GET /v1/kv/large HTTP/1.1\r\n${HOST}\r\n`);
    for (let pause = 0; pause < 20; pause++) {
      connection.socket.pause();
      await sleep(50);
      connection.socket.resume();
      await sleep(2);
    }
    const [answer] = await connection.answers(1);
    assert.equal(answer?.body.length, VALUE_BYTES_MAX);
    connection.destroy();
  });
});

describe("bounds of the node", () => {
  test("bodies beyond the node's budget are refused with 503; what is given back can be used again", async (context) => {
    const { address } = await startLocalHttp(context, { bodiesInFlightBytesMax: 1_000_000 });
    const first = await RawConnection.open(address);
    first.write(putHead("first", 900_000));
    first.write(Buffer.alloc(800_000));
    await eventually(
      "the first body is held",
      async () => (await metricOf(address, "kv_http_body_bytes_in_flight")) === 800_000,
    );
    const refused = await send(address, { method: "PUT", path: "/v1/kv/second", body: Buffer.alloc(300_000) });
    assert.equal(refused.status, 503);
    assert.equal(codeOf(refused), "OVERLOADED");
    assert.equal((refused.json() as { outcome: string }).outcome, "not_applied");
    assert.ok(Number(refused.headers["retry-after"]) >= 1);
    first.write(Buffer.alloc(100_000));
    assert.equal((await first.answers(1))[0]?.status, 201);
    assert.equal(
      (await send(address, { method: "PUT", path: "/v1/kv/third", body: Buffer.alloc(900_000) })).status,
      201,
    );
    assert.equal(await metricOf(address, "kv_http_body_bytes_in_flight"), 0);
    first.destroy();
  });

  test("a body counts until its answer is known, even when its client has gone", async (context) => {
    const { address, gateway } = await startLocalHttp(context);
    gateway.hold();
    const connection = await RawConnection.open(address);
    connection.write(putHead("held", 100_000));
    connection.write(Buffer.alloc(100_000));
    await eventually("the write is under way", () => gateway.heldCount === 1);
    connection.destroy();
    await sleep(50);
    assert.equal(await metricOf(address, "kv_http_body_bytes_in_flight"), 100_000);
    gateway.release();
    assert.equal(await metricOf(address, "kv_http_body_bytes_in_flight"), 0);
  });

  test("a client that goes away in the middle of a body leaves nothing behind", async (context) => {
    const { address, gateway, server } = await startLocalHttp(context);
    for (let round = 0; round < 20; round++) {
      const connection = await RawConnection.open(address);
      connection.write(putHead("gone", 100_000));
      connection.write(Buffer.alloc(50_000));
      await connection.drained();
      if (round % 2 === 0) connection.socket.resetAndDestroy();
      else connection.destroy();
    }
    await eventually("all connections are gone", () => server.connectionCount === 0);
    assert.equal(await metricOf(address, "kv_http_body_bytes_in_flight"), 0);
    assert.equal(gateway.asked?.length, 0);
  });

  test("connections beyond the maximum are told so with 503; those that are there go on", async (context) => {
    const { address, server } = await startLocalHttp(context, { connectionsMax: 5, sweepMs: 30 });
    const connections = await Promise.all(Array.from({ length: 5 }, () => RawConnection.open(address)));
    await eventually("all are accepted", () => server.connectionCount === 5);
    const refused = await RawConnection.open(address);
    await refused.ended();
    const [answer] = await refused.answers(1);
    assert.equal(answer?.status, 503);
    assert.equal(codeOf(answer), "TOO_MANY_CONNECTIONS");
    refused.destroy();
    connections[0]?.write(`GET /healthz HTTP/1.1\r\n${HOST}\r\n`);
    assert.equal((await connections[0]?.answers(1))?.[0]?.status, 200);
    connections[1]?.destroy();
    await eventually("there is room again", () => server.connectionCount < 5);
    assert.equal((await send(address, { path: "/healthz" })).status, 200);
    for (const connection of connections) connection.destroy();
  });

  test("a flood of pipelined requests is not read while the first of them waits", async (context) => {
    const { address, gateway } = await startLocalHttp(context);
    gateway.hold();
    const connection = await RawConnection.open(address);
    const request = Buffer.from(`GET /v1/kv/a HTTP/1.1\r\n${HOST}\r\n`);
    const flood = Buffer.concat(Array.from({ length: 400_000 }, () => request));
    connection.socket.write(flood);
    await eventually("the first request is under way", () => gateway.heldCount === 1);
    await sleep(300);
    assert.equal(gateway.heldCount, 1);
    assert.ok(connection.socket.writableLength > 0, "the client could not get rid of all of it");
    assert.equal((await send(address, { path: "/healthz" })).status, 200);
    connection.destroy();
    gateway.release();
  });

  test("a flood that is answered is read to its end", async (context) => {
    const { address } = await startLocalHttp(context);
    const connection = await RawConnection.open(address);
    const count = 5000;
    connection.write(`GET /v1/kv/a HTTP/1.1\r\n${HOST}\r\n`.repeat(count));
    const text = (): string => connection.received.toString("latin1");
    await eventually("everything is answered", () => text().split("HTTP/1.1 404").length === count + 1, 20_000);
    connection.destroy();
  });
});

describe("stopping", () => {
  test("the request in flight is answered, what waits behind it is refused, and nobody is let in", async (context) => {
    const { address, gateway, server } = await startLocalHttp(context, { closeGraceMs: 5000 });
    const idle = await RawConnection.open(address);
    gateway.hold();
    const connection = await RawConnection.open(address);
    connection.write(`GET /v1/kv/a HTTP/1.1\r\n${HOST}\r\n`.repeat(2));
    await eventually("the first is under way", () => gateway.heldCount === 1);
    const closed = server.close();
    await idle.ended();
    await assert.rejects(RawConnection.open(address));
    gateway.release();
    const answers = await connection.answers(1);
    assert.equal(answers[0]?.status, 404);
    await connection.ended();
    if (answers[1] !== undefined) assert.equal(codeOf(answers[1]), "STOPPING");
    assert.equal(gateway.asked?.length, 1);
    await closed;
    idle.destroy();
    connection.destroy();
  });

  test("requests that never end are cut when the grace is over", async (context) => {
    const { address, gateway, server } = await startLocalHttp(context, { closeGraceMs: 100 });
    gateway.hold();
    const connection = await RawConnection.open(address);
    connection.write(`GET /v1/kv/a HTTP/1.1\r\n${HOST}\r\n`);
    await eventually("it is under way", () => gateway.heldCount === 1);
    const startedMs = performance.now();
    await server.close();
    assert.ok(performance.now() - startedMs < 3000);
    await connection.ended();
    assert.equal(connection.received.length, 0);
    gateway.release();
    connection.destroy();
  });

  test("an address that is taken is named, with the process that has it", async (context) => {
    const { address, gateway } = await startLocalHttp(context);
    const clock = new SystemClock();
    const start = startHttpServer({ gateway, address, cluster: "test", clock, timers: clock, logger: silentLogger });
    await assert.rejects(start, (error) => {
      assert.ok(error instanceof KvError);
      assert.equal(error.code, "ADDRESS_IN_USE");
      assert.ok(error.message.includes(address), error.message);
      assert.ok(error.message.includes(`process ${process.pid} (`), error.message);
      return true;
    });
  });
});
