import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { RawConnection, send, sendRaw } from "../support/http-client.ts";
import { freshKey } from "./http-system.ts";

const HOST = "Host: localhost\r\n";
/** What a smuggled second request would be: if it is ever carried out, the key exists. */
const SMUGGLED_KEY = "smuggled";
const SMUGGLED = `PUT /v1/kv/${SMUGGLED_KEY} HTTP/1.1\r\n${HOST}Content-Length: 1\r\n\r\nx`;

const put = (headers: string, body: string, version = "1.1"): string =>
  `PUT /v1/kv/desync HTTP/${version}\r\n${HOST}${headers}\r\n${body}`;
const get = (lines: string): string => `GET /healthz HTTP/1.1\r\n${HOST}${lines}\r\n`;

/** Requests about whose end two readers could disagree: 400 (or what is given) and the connection closes. */
const AMBIGUOUS: Record<string, string> = {
  "a negative Content-Length": put("Content-Length: -1\r\n", "x"),
  "Content-Length: +5": put("Content-Length: +5\r\n", "hello"),
  "Content-Length: 0x10": put("Content-Length: 0x10\r\n", "hello"),
  "Content-Length: 5, 5": put("Content-Length: 5, 5\r\n", "hello"),
  "Content-Length: 5 twice": put("Content-Length: 5\r\nContent-Length: 5\r\n", "hello"),
  "Content-Length 5 and 6": put("Content-Length: 5\r\nContent-Length: 6\r\n", "hello!"),
  "Content-Length: 1e1": put("Content-Length: 1e1\r\n", "hello"),
  "Content-Length with a blank inside": put("Content-Length: 5 5\r\n", "hello"),
  "an empty Content-Length": put("Content-Length:\r\n", "hello"),
  "a Content-Length of 30 digits": put(`Content-Length: ${"9".repeat(30)}\r\n`, "hello"),
  "Transfer-Encoding and Content-Length": put("Transfer-Encoding: chunked\r\nContent-Length: 5\r\n", "0\r\n\r\n"),
  "Content-Length and Transfer-Encoding": put("Content-Length: 5\r\nTransfer-Encoding: chunked\r\n", "0\r\n\r\n"),
  "Transfer-Encoding: xchunked": put("Transfer-Encoding: xchunked\r\n", "0\r\n\r\n"),
  "Transfer-Encoding: chunked, gzip": put("Transfer-Encoding: chunked, gzip\r\n", "0\r\n\r\n"),
  "Transfer-Encoding: gzip, chunked": put("Transfer-Encoding: gzip, chunked\r\n", "0\r\n\r\n"),
  "Transfer-Encoding: identity": put("Transfer-Encoding: identity\r\n", "0\r\n\r\n"),
  "Transfer-Encoding: chunked, chunked": put("Transfer-Encoding: chunked, chunked\r\n", "0\r\n\r\n"),
  "Transfer-Encoding twice": put("Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n", "0\r\n\r\n"),
  "an empty Transfer-Encoding": put("Transfer-Encoding:\r\n", "0\r\n\r\n"),
  "Transfer-Encoding with a quoted value": put('Transfer-Encoding: "chunked"\r\n', "0\r\n\r\n"),
  "Transfer-Encoding behind a vertical tab": put("Transfer-Encoding: \vchunked\r\n", "0\r\n\r\n"),
  "HTTP/1.0 with chunks": put("Transfer-Encoding: chunked\r\n", "0\r\n\r\n", "1.0"),
  "a chunk size that is none": put("Transfer-Encoding: chunked\r\n", "xyz\r\nhello\r\n0\r\n\r\n"),
  "a negative chunk size": put("Transfer-Encoding: chunked\r\n", "-5\r\nhello\r\n0\r\n\r\n"),
  "a chunk size with 0x": put("Transfer-Encoding: chunked\r\n", "0x5\r\nhello\r\n0\r\n\r\n"),
  "a chunk size beyond 64 bits": put("Transfer-Encoding: chunked\r\n", "fffffffffffffffff\r\nhello\r\n0\r\n\r\n"),
  "a chunk that is longer than its size": put("Transfer-Encoding: chunked\r\n", "3\r\nhello\r\n0\r\n\r\n"),
  "a chunk with a bare LF behind its size": put("Transfer-Encoding: chunked\r\n", "5\nhello\r\n0\r\n\r\n"),
  "a chunk with a bare LF behind its data": put("Transfer-Encoding: chunked\r\n", "5\r\nhello\n0\r\n\r\n"),
  "a header name with a blank before its colon": put("Content-Length : 5\r\n", "hello"),
  "Transfer-Encoding with a blank before its colon": put("Transfer-Encoding : chunked\r\n", "0\r\n\r\n"),
  "a folded header": get("X-Folded: a\r\n b\r\n"),
  "a blank before the first header": `GET /healthz HTTP/1.1\r\n ${HOST}\r\n`,
  "lines that end in a bare LF": `GET /healthz HTTP/1.1\nHost: localhost\n\n`,
  "one header that ends in a bare LF": `GET /healthz HTTP/1.1\r\nX-A: b\n${HOST}\r\n`,
  "a bare CR in a header": get("X-A: b\rc\r\n"),
  "NUL in a header's value": get("X-A: b\0c\r\n"),
  "NUL in a header's name": get("X-\0A: b\r\n"),
  "a header without a colon": get("NoColon\r\n"),
  "a header without a name": get(": value\r\n"),
  "a header name that is no token": get("X(A): b\r\n"),
  "two Hosts": `GET /healthz HTTP/1.1\r\n${HOST}Host: 127.0.0.1\r\n\r\n`,
  "no Host": "GET /healthz HTTP/1.1\r\n\r\n",
  "an empty Host": "GET /healthz HTTP/1.1\r\nHost:\r\n\r\n",
  "an unknown HTTP version": `GET /healthz HTTP/1.2\r\n${HOST}\r\n`,
  "a version that is none": `GET /healthz HTTP/2.0\r\n${HOST}\r\n`,
  "HTTP/2's preface": "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
  "HTTP/0.9": "GET /healthz\r\n\r\n",
  "a target with a blank": `GET /health z HTTP/1.1\r\n${HOST}\r\n`,
  "a target with a control character": `GET /health\x01 HTTP/1.1\r\n${HOST}\r\n`,
  "a target with a fragment": `GET /healthz#a HTTP/1.1\r\n${HOST}\r\n`,
  "a target that is no path": `GET healthz HTTP/1.1\r\n${HOST}\r\n`,
  "a target and a Host that disagree": `GET http://127.0.0.1/healthz HTTP/1.1\r\n${HOST}\r\n`,
  "TLS where there is none": "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
  "bytes of a Redis client": "*1\r\n$4\r\nPING\r\n",
  "nothing but NUL": "\0\0\0\0\0\0\0\0\r\n\r\n",
};

/** Faults that are no doubt about the request's end: answered, but the connection may live on. */
const MAY_STAY_OPEN = new Set([
  "an empty Host",
  "no Host",
  "two Hosts",
  "a target with a fragment",
  "a target and a Host that disagree",
]);

/** The rows of the bad-input table that are about the bytes of HTTP itself. */
export function describeDesync(address: () => string): void {
  describe("requests whose end is in doubt never desynchronise the connection", () => {
    for (const [description, bytes] of Object.entries(AMBIGUOUS)) {
      test(`${description}: refused, and what follows is not carried out`, async () => {
        if (MAY_STAY_OPEN.has(description)) {
          const [first] = await sendRaw(address(), bytes, { halfClose: true });
          assert.equal(first?.status, 400, "the first answer");
          return;
        }
        const answers = await sendRaw(address(), bytes + SMUGGLED);
        assert.ok(answers.length <= 1, `${answers.length} answers`);
        if (description !== "HTTP/2's preface") assert.equal(answers[0]?.status, 400);
        await nothingWasSmuggled(address());
      });
    }

    test("a Content-Length larger than the body: nothing is stored when the client gives up", async () => {
      const key = freshKey();
      const bytes = `PUT /v1/kv/${key} HTTP/1.1\r\n${HOST}Content-Length: 10\r\n\r\nhello`;
      const [answer] = await sendRaw(address(), bytes, { halfClose: true });
      assert.equal(answer?.status, 400);
      assert.equal((await send(address(), { path: `/v1/kv/${key}` })).status, 404);
    });

    test("a Content-Length smaller than the body: the rest is refused as a request of its own", async () => {
      const key = freshKey();
      const bytes = `PUT /v1/kv/${key} HTTP/1.1\r\n${HOST}Content-Length: 5\r\n\r\nhello, world`;
      const answers = await sendRaw(address(), bytes);
      assert.deepEqual(
        answers.map(({ status }) => status),
        [201, 400],
      );
      assert.equal((await send(address(), { path: `/v1/kv/${key}` })).text, "hello");
    });

    test("chunks without their last CRLF: nothing is stored when the client gives up", async () => {
      for (const tail of ["0\r\n", "0\r\n\r", "", "0"]) {
        const key = freshKey();
        const head = `PUT /v1/kv/${key} HTTP/1.1\r\n${HOST}Transfer-Encoding: chunked\r\n\r\n`;
        const [answer] = await sendRaw(address(), `${head}5\r\nhello\r\n${tail}`, { halfClose: true });
        assert.equal(answer?.status, 400);
        assert.equal((await send(address(), { path: `/v1/kv/${key}` })).status, 404);
      }
    });

    test("whole chunks are a body, whatever pieces they come in", async () => {
      const key = freshKey();
      const connection = await RawConnection.open(address());
      const bytes = `PUT /v1/kv/${key} HTTP/1.1\r\n${HOST}Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n2;ext=1\r\n, \r\n5\r\nworld\r\n0\r\n\r\n`;
      for (const byte of bytes) {
        connection.write(byte);
        await connection.drained();
      }
      const [answer] = await connection.answers(1);
      assert.equal(answer?.status, 201);
      connection.destroy();
      assert.equal((await send(address(), { path: `/v1/kv/${key}` })).text, "hello, world");
    });

    test("a fault behind good requests is answered after them", async () => {
      const key = freshKey();
      const good = `PUT /v1/kv/${key} HTTP/1.1\r\n${HOST}Content-Length: 1\r\n\r\nx`;
      const read = `GET /v1/kv/${key} HTTP/1.1\r\n${HOST}\r\n`;
      const answers = await sendRaw(address(), `${good}${read}NONSENSE\r\n\r\n${SMUGGLED}`);
      assert.deepEqual(
        answers.map(({ status }) => status),
        [201, 200, 400],
      );
      await nothingWasSmuggled(address());
    });
  });

  describe("too many or too long headers are refused with 431", () => {
    const many = (count: number): string => Array.from({ length: count }, (_, index) => `X-${index}: a\r\n`).join("");
    test("a thousand headers", async () => {
      const [answer] = await sendRaw(address(), get(many(1000)), { halfClose: true });
      assert.equal(answer?.status, 431);
    });
    test("a hundred are taken, one more is not", async () => {
      const [taken] = await sendRaw(address(), get(many(99)), { halfClose: true });
      assert.equal(taken?.status, 200);
      const [refused] = await sendRaw(address(), get(many(100)), { halfClose: true });
      assert.equal(refused?.status, 431);
    });
    test("a header block of more than 16 KiB, however far above", async () => {
      for (const byteCount of [16_384, 20_000, 40_000, 1_000_000]) {
        const [answer] = await sendRaw(address(), get(`X-Long: ${"a".repeat(byteCount)}\r\n`), { halfClose: true });
        assert.equal(answer?.status, 431, `${byteCount} bytes`);
      }
      const [taken] = await sendRaw(address(), get(`X-Long: ${"a".repeat(16_000)}\r\n`), { halfClose: true });
      assert.equal(taken?.status, 200);
    });
    test("headers without an end", async () => {
      const connection = await RawConnection.open(address());
      connection.write(`GET /healthz HTTP/1.1\r\n${HOST}`);
      for (let sent = 0; sent < 10_000 && !connection.isEnded; sent++) {
        connection.write(`X-${sent}: ${"a".repeat(100)}\r\n`);
        await connection.drained();
      }
      await connection.ended();
      const [answer] = await connection.answers(1);
      assert.equal(answer?.status, 431);
      connection.destroy();
    });
  });

  describe("pipelined requests", () => {
    test("are answered in the order sent, each seeing those before it", async () => {
      const key = freshKey();
      const requests = Array.from({ length: 50 }, (_, index) => {
        const body = String(index);
        const write = `PUT /v1/kv/${key} HTTP/1.1\r\n${HOST}Content-Length: ${body.length}\r\n\r\n${body}`;
        return `${write}GET /v1/kv/${key} HTTP/1.1\r\n${HOST}\r\n`;
      });
      const connection = await RawConnection.open(address());
      connection.write(requests.join(""));
      const answers = await connection.answers(100);
      connection.destroy();
      const values = answers.filter((_, index) => index % 2 === 1).map(({ text }) => text);
      assert.deepEqual(
        values,
        Array.from({ length: 50 }, (_, index) => String(index)),
      );
    });

    test("a client that has shut down its side still gets every answer", async () => {
      const answers = await sendRaw(address(), get("").repeat(20), { halfClose: true });
      assert.equal(answers.length, 20);
    });

    test("an absolute target that agrees with Host is understood", async () => {
      const [answer] = await sendRaw(address(), `GET http://localhost/healthz HTTP/1.1\r\n${HOST}\r\n`, {
        halfClose: true,
      });
      assert.equal(answer?.status, 200);
    });

    test("HTTP/1.0 is answered, and the connection closes", async () => {
      const [answer] = await sendRaw(address(), "GET /healthz HTTP/1.0\r\n\r\n");
      assert.equal(answer?.status, 200);
    });
  });

  describe("what comes from outside never becomes a header line of an answer", () => {
    for (const key of ["a%0d%0aX-Injected:%201", "a%0aX-Injected: 1", "%0d%0a%0d%0aHTTP/1.1 200 OK"]) {
      test(`the key ${key}`, async () => {
        const path = `/v1/kv/${encodeURI(decodeURI(key)).replaceAll(" ", "%20")}${freshKey()}`;
        for (const method of ["GET", "PUT", "DELETE", "PATCH"]) {
          const answer = await send(address(), { method, path, body: method === "PUT" ? "x" : "" });
          assert.equal(answer.headers["x-injected"], undefined);
        }
      });
    }
  });
}

async function nothingWasSmuggled(address: string): Promise<void> {
  assert.equal((await send(address, { path: `/v1/kv/${SMUGGLED_KEY}` })).status, 404);
}
