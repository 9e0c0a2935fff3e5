import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { RawConnection, send, type TestResponse } from "../support/http-client.ts";
import { eventually, metricOf, startLocalHttp } from "../support/local-http.ts";

const HOST = "Host: localhost\r\n";
const GET = `GET /v1/kv/a HTTP/1.1\r\n${HOST}\r\n`;

function codeOf(answer: TestResponse | undefined): unknown {
  return (answer?.json() as { code: string } | undefined)?.code;
}

function putOf(byteCount: number, body = ""): string {
  return `PUT /v1/kv/a HTTP/1.1\r\n${HOST}Content-Length: ${byteCount}\r\n\r\n${body}`;
}

describe("slow clients of the fast path", () => {
  for (const before of ["", GET]) {
    test(`a head that does not end in time is answered with 408 (after ${before === "" ? "nothing" : "a request"})`, async (context) => {
      const { address } = await startLocalHttp(context, { headerDeadlineMs: 300, sweepMs: 30 });
      const connection = await RawConnection.open(address);
      const startedMs = performance.now();
      connection.write(`${before}GET /v1/kv/`);
      for (let sent = 0; !connection.isEnded && sent < 200; sent++) {
        connection.write("a");
        await sleep(20);
      }
      await connection.ended();
      assert.ok(performance.now() - startedMs < 3000);
      const answer = (await connection.answers(before === "" ? 1 : 2)).at(-1);
      assert.equal(answer?.status, 408);
      assert.equal(codeOf(answer), "REQUEST_TIMEOUT");
      assert.equal(await metricOf(address, "kv_http_connections_handed_over_total"), 1, "only the one that asks");
      connection.destroy();
    });
  }

  test("a connection that is idle after an answer is closed without a word, not sooner", async (context) => {
    const { address } = await startLocalHttp(context, { idleMsMax: 300, headerDeadlineMs: 60, sweepMs: 20 });
    const connection = await RawConnection.open(address);
    connection.write(GET);
    await sleep(200);
    connection.write(GET);
    const startedMs = performance.now();
    await connection.ended();
    assert.ok(performance.now() - startedMs >= 290);
    assert.equal((await connection.answers(2)).length, 2);
    connection.destroy();
  });

  test("a body below the minimum rate is answered with 408, and gives back what it held", async (context) => {
    const { address, gateway } = await startLocalHttp(context, {
      sweepMs: 20,
      bodyPeriodSweeps: 5,
      bodyBytesPerPeriodMin: 1000,
    });
    const connection = await RawConnection.open(address);
    connection.write(putOf(60_000));
    for (let sent = 0; !connection.isEnded && sent < 200; sent++) {
      connection.write("x");
      await sleep(20);
    }
    await connection.ended();
    assert.equal((await connection.answers(1))[0]?.status, 408);
    assert.equal(gateway.asked?.length, 0);
    assert.equal(await metricOf(address, "kv_http_body_bytes_in_flight"), 0);
    connection.destroy();
  });

  test("a body that comes in time, however many pieces, is stored as it was sent", async (context) => {
    const { address } = await startLocalHttp(context);
    const connection = await RawConnection.open(address);
    connection.write(putOf(3000));
    for (let sent = 0; sent < 300; sent++) {
      connection.write(`piece ${String(sent).padStart(3)}.`);
      await connection.drained();
    }
    assert.equal((await connection.answers(1))[0]?.status, 201);
    const { text } = await send(address, { path: "/v1/kv/a" });
    assert.equal(text, Array.from({ length: 300 }, (_, sent) => `piece ${String(sent).padStart(3)}.`).join(""));
    connection.destroy();
  });

  for (const valueBytes of [500, 8000, 60_000]) {
    test(`a client that reads none of 10,000 answers of ${valueBytes} bytes is held to a few, then cut off`, async (context) => {
      const { address, gateway, server } = await startLocalHttp(context, { sweepMs: 30, stalledSweepsMax: 20 });
      await send(address, { method: "PUT", path: "/v1/kv/a", body: Buffer.alloc(valueBytes) });
      const connection = await RawConnection.open(address);
      connection.socket.pause();
      const before = process.memoryUsage.rss();
      connection.write(GET.repeat(10_000));
      await sleep(300);
      const askedWhileStalled = gateway.asked?.length ?? 0;
      // What the sockets' own buffers take, and what this side holds: all of it below the cap by far.
      assert.ok(askedWhileStalled * valueBytes < 16_000_000, `${askedWhileStalled} were carried out`);
      assert.ok(process.memoryUsage.rss() - before < 60_000_000);
      await eventually("the client is cut off", () => server.connectionCount === 0);
      assert.ok((gateway.asked?.length ?? 0) < 10_001);
      connection.destroy();
    });
  }
});

describe("bounds of the fast path", () => {
  test("a body beyond the node's budget is refused with 503, and the connection closes", async (context) => {
    const { address, gateway } = await startLocalHttp(context, { bodiesInFlightBytesMax: 1000 });
    const connection = await RawConnection.open(address);
    connection.write(putOf(1001, "x".repeat(1001)));
    await connection.ended();
    const [answer] = await connection.answers(1);
    assert.equal(answer?.status, 503);
    assert.equal(codeOf(answer), "OVERLOADED");
    assert.equal(gateway.asked?.length, 0);
    connection.destroy();
  });

  test("a body counts until its answer is known, even when its client has gone", async (context) => {
    const { address, gateway } = await startLocalHttp(context);
    gateway.hold();
    const whole = await RawConnection.open(address);
    whole.write(putOf(1000, "x".repeat(1000)));
    const inPieces = await RawConnection.open(address);
    inPieces.write(putOf(500));
    await inPieces.drained();
    inPieces.write("x".repeat(500));
    await eventually("both writes are under way", () => gateway.heldCount === 2);
    whole.destroy();
    inPieces.destroy();
    await sleep(50);
    assert.equal(await metricOf(address, "kv_http_body_bytes_in_flight"), 1500);
    gateway.release();
    assert.equal(await metricOf(address, "kv_http_body_bytes_in_flight"), 0);
  });

  test("clients that go away in the middle of a body or a head leave nothing behind", async (context) => {
    const { address, gateway, server } = await startLocalHttp(context);
    for (let round = 0; round < 20; round++) {
      const connection = await RawConnection.open(address);
      connection.write(round % 2 === 0 ? putOf(50_000, "x".repeat(25_000)) : GET.slice(0, 20));
      await connection.drained();
      if (round % 4 < 2) connection.socket.resetAndDestroy();
      else connection.destroy();
    }
    await eventually("all connections are gone", () => server.connectionCount === 0);
    assert.equal(await metricOf(address, "kv_http_body_bytes_in_flight"), 0);
    assert.equal(gateway.asked?.length, 0);
  });

  test("a flood of requests does not keep others from being answered", async (context) => {
    const { address, gateway } = await startLocalHttp(context);
    const connection = await RawConnection.open(address);
    connection.write(GET.repeat(20_000));
    await eventually("the flood has begun", () => (gateway.asked?.length ?? 0) > 0);
    assert.equal((await send(address, { path: "/v1/kv/b" })).status, 404);
    assert.ok((gateway.asked?.length ?? 0) < 20_000, "the flood was not at its end yet");
    const count = (): number => connection.received.toString("latin1").split("HTTP/1.1 404").length - 1;
    await eventually("the flood is answered", () => count() === 20_000, 20_000);
    connection.destroy();
  });

  test("requests are counted by route and status", async (context) => {
    const { address } = await startLocalHttp(context);
    const connection = await RawConnection.open(address);
    connection.write(`${putOf(1, "x")}${GET}${GET}DELETE /v1/kv/a HTTP/1.1\r\n${HOST}\r\n${GET}`);
    await connection.answers(5);
    const { text } = await send(address, { path: "/metrics" });
    const countOf = (code: number): string | undefined =>
      new RegExp(`^kv_http_requests_total\\{[^}]*route="/v1/kv/\\{key\\}",code="${code}"[^}]*\\} (\\d+)$`, "m").exec(
        text,
      )?.[1];
    assert.deepEqual([201, 200, 204, 404].map(countOf), ["1", "2", "1", "1"]);
    const observed = /^kv_http_request_duration_seconds_count\{[^}]*route="\/v1\/kv\/\{key\}"[^}]*\} (\d+)$/m.exec(
      text,
    )?.[1];
    assert.equal(observed, "5");
    connection.destroy();
  });
});

describe("stopping, on the fast path", () => {
  test("the request in flight is answered, with its connection's end; a partial head and idle clients are let go", async (context) => {
    const { address, gateway, server } = await startLocalHttp(context, { closeGraceMs: 5000 });
    const idle = await RawConnection.open(address);
    idle.write(GET);
    const partial = await RawConnection.open(address);
    partial.write(GET.slice(0, 30));
    await eventually("the idle one is answered", () => gateway.asked?.length === 1);
    gateway.hold();
    const connection = await RawConnection.open(address);
    connection.write(GET.repeat(2));
    await eventually("the first is under way", () => gateway.heldCount === 1);
    const closed = server.close();
    await Promise.all([idle.ended(), partial.ended()]);
    gateway.release();
    await connection.ended();
    const answers = await connection.answers(1);
    assert.deepEqual(
      answers.map(({ status, headers }) => [status, headers["connection"]]),
      [[404, "close"]],
    );
    await closed;
    for (const one of [idle, partial, connection]) one.destroy();
  });

  test("a body that is on its way when the node stops is waited for, and answered", async (context) => {
    const { address, server } = await startLocalHttp(context, { closeGraceMs: 5000 });
    const connection = await RawConnection.open(address);
    connection.write(putOf(10, "01234"));
    await eventually("the connection is there", () => server.connectionCount === 1);
    await sleep(20);
    const closed = server.close();
    connection.write("56789");
    await connection.ended();
    assert.equal((await connection.answers(1))[0]?.status, 201);
    await closed;
    connection.destroy();
  });
});
