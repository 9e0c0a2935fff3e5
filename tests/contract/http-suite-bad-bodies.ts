import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { RawConnection, send, sendRaw, type TestRequest, type TestResponse } from "../support/http-client.ts";
import { refusalsOf } from "./http-refusals.ts";
import { freshKey } from "./http-system.ts";

const VALUE_BYTES_MAX = 16_777_216;

/** The rows of the bad-input table that are about values and JSON. */
export function describeBadBodies(address: () => string): void {
  const { refuses } = refusalsOf(address);

  describe("values at their limit", () => {
    const put = (key: string, body: Buffer, headers: Record<string, string>): Promise<TestResponse> =>
      send(address(), { method: "PUT", path: `/v1/kv/${key}`, body, headers });
    const value = Buffer.alloc(VALUE_BYTES_MAX, "v");

    for (const [description, headers] of [
      ["with Content-Length", {}],
      ["in chunks", { "Transfer-Encoding": "chunked" }],
      ["with Expect: 100-continue", { "Content-Length": String(VALUE_BYTES_MAX), Expect: "100-continue" }],
    ] as const) {
      test(`a value of exactly the limit is stored, ${description}`, async () => {
        const key = freshKey();
        assert.equal((await put(key, value, headers)).status, 201);
        const read = await send(address(), { path: `/v1/kv/${key}` });
        assert.ok(read.body.equals(value));
        await send(address(), { method: "DELETE", path: `/v1/kv/${key}` });
      });
    }

    test("one byte more, announced, is refused with 413 before any of it is read", async () => {
      const head = `PUT /v1/kv/a HTTP/1.1\r\nHost: localhost\r\nContent-Length: ${VALUE_BYTES_MAX + 1}\r\n\r\n`;
      const [answer] = await sendRaw(address(), head);
      assert.equal(answer?.status, 413);
      assert.equal(answer.headers["connection"], "close");
    });

    test("the same with Expect: 100-continue gets no 100", async () => {
      const length = `Content-Length: ${VALUE_BYTES_MAX + 1}\r\nExpect: 100-continue`;
      const answers = await sendRaw(address(), `PUT /v1/kv/a HTTP/1.1\r\nHost: localhost\r\n${length}\r\n\r\n`);
      assert.deepEqual(
        answers.map(({ status }) => status),
        [413],
      );
    });

    test("one byte more, in chunks, is refused with 413 and the rest is not read", async () => {
      const connection = await RawConnection.open(address());
      connection.write("PUT /v1/kv/a HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n");
      const chunk = Buffer.concat([Buffer.from("100000\r\n"), Buffer.alloc(0x100000), Buffer.from("\r\n")]);
      let chunks = 0;
      while (!connection.isEnded && chunks < 256) {
        connection.write(chunk);
        chunks++;
        await connection.drained();
      }
      await connection.ended();
      const [answer] = await connection.answers(1);
      assert.equal(answer?.status, 413);
      assert.ok(chunks < 64, `${chunks} MiB went out before the server hung up`);
      connection.destroy();
    });

    test("a form whose value is one byte too large is refused with 413", async () => {
      const headers = { "Content-Type": "application/x-www-form-urlencoded" };
      const body = Buffer.concat([Buffer.from("key=a&value="), value, Buffer.from("v")]);
      await refuses({ method: "POST", path: "/set", headers, body }, 413, "VALUE_TOO_LARGE");
    });

    test("a body where none belongs, a compressed one, a content type that cannot be stored", async () => {
      await refuses(
        { method: "GET", path: "/v1/kv/a", headers: { "Content-Length": "1" }, body: "x" },
        400,
        "INVALID_ARGUMENT",
      );
      await refuses(
        { method: "DELETE", path: "/v1/kv/a", headers: { "Content-Length": "1" }, body: "x" },
        400,
        "INVALID_ARGUMENT",
      );
      const gzip = { "Content-Encoding": "gzip" };
      await refuses({ method: "PUT", path: "/v1/kv/a", headers: gzip, body: "x" }, 415, "UNSUPPORTED_MEDIA_TYPE");
      const long = { "Content-Type": `text/${"a".repeat(300)}` };
      await refuses({ method: "PUT", path: "/v1/kv/a", headers: long, body: "x" }, 400, "INVALID_ARGUMENT");
    });
  });

  describe("JSON that is not exactly JSON is refused", () => {
    const batch = (body: Buffer | string): TestRequest => ({ method: "POST", path: "/v1/batch", body });
    const op = '{"get":{"key":"a"}}';
    const bodies: Record<string, Buffer | string> = {
      nothing: "",
      "a name twice": '{"ops":[],"ops":[]}',
      "a name twice, once escaped": `{"ops":[{"set":{"key":"a","\\u006bey":"b","value":"c"}}]}`,
      "depth 10,000": `{"ops":${"[".repeat(10_000)}${"]".repeat(10_000)}}`,
      "depth 10,000 of objects": `${'{"ops":'.repeat(10_000)}1${"}".repeat(10_000)}`,
      "invalid UTF-8": Buffer.concat([Buffer.from('{"ops":[{"get":{"key":"'), Buffer.of(0xff), Buffer.from('"}}]}')]),
      "a byte order mark": Buffer.concat([Buffer.of(0xef, 0xbb, 0xbf), Buffer.from(`{"ops":[${op}]}`)]),
      "trailing bytes": `{"ops":[${op}]} x`,
      "a second value": `{"ops":[${op}]}{}`,
      "a trailing comma": `{"ops":[${op},]}`,
      "a comment": `{"ops":[${op}]/* */}`,
      "single quotes": `{'ops':[]}`,
      "a lone surrogate": '{"ops":[{"get":{"key":"\\ud800"}}]}',
      "an escape that does not exist": '{"ops":[{"get":{"key":"\\x41"}}]}',
      "a control character in a string": '{"ops":[{"get":{"key":"a\nb"}}]}',
      NaN: '{"ops":[{"set":{"key":"a","value":"b","ttl":NaN}}]}',
      "a string without an end": '{"ops":[{"get":{"key":"a',
      "a number with a leading zero": '{"ops":[{"set":{"key":"a","value":"b","ttl":01}}]}',
      "a very long number": `{"ops":[{"set":{"key":"a","value":"b","ttl":${"1".repeat(100_000)}}}]}`,
      "no ops": "{}",
      "no operations": '{"ops":[]}',
      "1,001 operations": `{"ops":[${Array.from({ length: 1001 }, () => op).join()}]}`,
      "ops that are no array": '{"ops":{}}',
      "an operation of no kind": '{"ops":[{}]}',
      "an operation of two kinds": '{"ops":[{"get":{"key":"a"},"delete":{"key":"a"}}]}',
      "an operation of an unknown kind": '{"ops":[{"rename":{"key":"a"}}]}',
      "__proto__ as a member": '{"ops":[{"__proto__":{"key":"a"}}]}',
      "constructor as a member": '{"ops":[{"get":{"key":"a","constructor":{"prototype":{"x":1}}}}]}',
      "an unknown member": `{"ops":[${op}],"colour":"red"}`,
      "a value that is no string": '{"ops":[{"set":{"key":"a","value":1}}]}',
      "a key that is no string": '{"ops":[{"get":{"key":null}}]}',
      "a value missing": '{"ops":[{"set":{"key":"a"}}]}',
      "base64 that is none": '{"ops":[{"get":{"key":"a?","key_encoding":"base64"}}]}',
      "an unknown encoding": '{"ops":[{"get":{"key":"a","key_encoding":"hex"}}]}',
      "a ttl of 1e9": '{"ops":[{"set":{"key":"a","value":"b","ttl":1e9}}]}',
      "a ttl of 0": '{"ops":[{"set":{"key":"a","value":"b","ttl":0}}]}',
      "a version that is too large": '{"ops":[{"delete":{"key":"a","if_match":9007199254740992}}]}',
    };
    for (const [description, body] of Object.entries(bodies)) {
      test(description, () => refuses(batch(body), 400, "INVALID_ARGUMENT"));
    }
    test("a key that is too long in an operation", async () => {
      await refuses(batch(`{"ops":[{"get":{"key":"${"a".repeat(1025)}"}}]}`), 400, "KEY_TOO_LONG");
    });
    test("a million small members, in bounded time", async () => {
      const members = Array.from({ length: 1_000_000 }, (_, index) => `"k${index}":1`).join();
      const startedMs = performance.now();
      await refuses(batch(`{${members}}`), 400, "INVALID_ARGUMENT");
      await refuses(batch(`{"ops":[${"[],".repeat(1_000_000)}[]]}`), 400, "INVALID_ARGUMENT");
      assert.ok(performance.now() - startedMs < 10_000);
    });
    test("sixteen mebibytes of escapes, quotes, blanks or digits, in bounded time", async () => {
      const startedMs = performance.now();
      const room = VALUE_BYTES_MAX - 100;
      for (const filler of ["\\", '\\"', '"', "\\u0041", "v"]) {
        await refuses(batch(`{"ops":"${filler.repeat(room / filler.length)}`), 400, "INVALID_ARGUMENT");
      }
      for (const filler of [" ", "1", "["]) {
        await refuses(batch(`{"ops":${filler.repeat(room)}`), 400, "INVALID_ARGUMENT");
      }
      assert.ok(performance.now() - startedMs < 20_000);
    });
    test("a body of another type with 415, one above the limit with 413", async () => {
      const headers = { "Content-Type": "text/plain" };
      await refuses({ ...batch(`{"ops":[${op}]}`), headers }, 415, "UNSUPPORTED_MEDIA_TYPE");
      await refuses(batch(Buffer.alloc(VALUE_BYTES_MAX + 1, " ")), 413, "VALUE_TOO_LARGE");
    });
    test("but what curl -d sends without being told a type is read as JSON", async () => {
      const headers = { "Content-Type": "application/x-www-form-urlencoded" };
      const answer = await send(address(), { ...batch(`{"ops":[${op}]}`), headers });
      assert.equal(answer.status, 200);
    });
    test("nothing of a refused batch is done", async () => {
      const key = freshKey();
      await refuses(batch(`{"ops":[{"set":{"key":"${key}","value":"x"}},{"get":{"key":""}}]}`), 400, "KEY_EMPTY");
      assert.equal((await send(address(), { path: `/v1/kv/${key}` })).status, 404);
    });
    test("no prototype was touched", () => {
      assert.deepEqual(Object.keys(Object.prototype), []);
      assert.equal(({} as Record<string, unknown>)["x"], undefined);
    });
  });
}
