import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { send, sendRaw, type TestRequest } from "../support/http-client.ts";
import { refusalsOf } from "./http-refusals.ts";
import { freshKey } from "./http-system.ts";

const KEY_BYTES_MAX = 1024;

/** The rows of the bad-input table that are about keys, parameters, conditions, cursors and paths. */
export function describeBadInput(address: () => string): void {
  const { refused, refuses } = refusalsOf(address);

  describe("a key that is missing, empty or too long is refused", () => {
    const empty: TestRequest[] = [
      { path: "/get" },
      { path: "/get?key=" },
      { path: "/set?value=1" },
      { path: "/delete?key=" },
      { path: "/v1/kv/" },
      { path: "/v1/kv?key=" },
      { method: "PUT", path: "/v1/kv", body: "x" },
      { method: "DELETE", path: "/v1/kv" },
      { method: "POST", path: "/v1/kv//increment" },
      { path: "/v1/explain/" },
      { method: "POST", path: "/v1/batch", body: '{"ops":[{"get":{"key":""}}]}' },
    ];
    for (const request of empty) {
      test(`${request.method ?? "GET"} ${request.path}`, () => refuses(request, 400, "KEY_EMPTY"));
    }

    const borders: Record<string, string> = {
      "of one-byte characters": "a",
      "of two-byte characters": "%C3%A9",
      "of four-byte characters": "%F0%9F%90%98",
    };
    for (const [description, character] of Object.entries(borders)) {
      test(`a key ${description} may have ${KEY_BYTES_MAX} bytes and not one more`, async () => {
        const key = character.repeat(KEY_BYTES_MAX / (character.length === 1 ? 1 : character.length / 3));
        assert.ok((await send(address(), { method: "PUT", path: `/v1/kv/${key}`, body: "x" })).status < 300);
        assert.equal((await send(address(), { path: `/get?key=${key}` })).text, "x");
        await refuses({ method: "PUT", path: `/v1/kv/${key}a`, body: "x" }, 400, "KEY_TOO_LONG");
        await refuses({ path: `/get?key=${key}a` }, 400, "KEY_TOO_LONG");
        await refuses({ path: `/v1/kv?prefix=${key}a` }, 400, "KEY_TOO_LONG");
        await send(address(), { method: "DELETE", path: `/v1/kv/${key}` });
      });
    }

    test("a target above 8 KiB is refused with 414, however far above", async () => {
      const target = `/v1/kv/a?x=${"a".repeat(8192)}`;
      await refuses({ path: target }, 414, "URL_TOO_LONG");
      await refuses({ path: `/v1/kv/${"a".repeat(9000)}` }, 414, "URL_TOO_LONG");
      const [answer] = await sendRaw(address(), `GET /${"a".repeat(100_000)} HTTP/1.1\r\nHost: localhost\r\n\r\n`);
      assert.equal(answer?.status, 414);
    });
  });

  describe("malformed parameters are refused", () => {
    const malformed = ["%", "%2", "%zz", "%%30", "a%G1", "%u0041"];
    for (const text of malformed) {
      test(`percent-encoding ${text}, in a path, a name and a value`, async () => {
        await refuses({ path: `/v1/kv/${text}` }, 400, "INVALID_ARGUMENT");
        await refuses({ path: `/get?key=${text}` }, 400, "INVALID_ARGUMENT");
        await refuses({ path: `/get?${text}=a` }, 400, "INVALID_ARGUMENT");
      });
    }

    const queries: Record<string, string> = {
      "key=a&key=b": "INVALID_ARGUMENT",
      "key=a&k%65y=b": "INVALID_ARGUMENT",
      "key=a&=b": "INVALID_ARGUMENT",
      "key=a&": "INVALID_ARGUMENT",
      "&key=a": "INVALID_ARGUMENT",
      "key=a&colour=red": "UNKNOWN_PARAMETER",
      "key=a&Key=b": "UNKNOWN_PARAMETER",
      "key=a&__proto__=b": "UNKNOWN_PARAMETER",
    };
    for (const [query, code] of Object.entries(queries)) {
      test(`the query ${query}`, async () => {
        await refuses({ path: `/get?${query}` }, 400, code);
        await refuses({ path: `/delete?${query}` }, 400, code);
        await refuses({ path: `/v1/kv?${query}` }, 400, code);
      });
    }

    for (const path of ["/v1/kv/a?colour=red", "/v1/kv?prefix=a&colour=red", "/v1/cluster?a=b", "/healthz?a=b"]) {
      test(`an unknown parameter of ${path}`, () => refuses({ path }, 400, "UNKNOWN_PARAMETER"));
    }

    test("a parameter given in the query and again in the form body", async () => {
      const headers = { "Content-Type": "application/x-www-form-urlencoded" };
      await refuses({ method: "POST", path: "/set?key=a", headers, body: "key=a&value=1" }, 400, "INVALID_ARGUMENT");
    });

    test("an unknown KV- header, and one that has no meaning for the path", async () => {
      await refuses({ path: "/v1/kv/a", headers: { "KV-Colour": "red" } }, 400, "UNKNOWN_PARAMETER");
      await refuses({ path: "/v1/cluster", headers: { "KV-Route": "redirect" } }, 400, "UNKNOWN_PARAMETER");
    });

    for (const option of ["consistency=none", "consistency=", "durability=never", "durability=in_sync"]) {
      test(`the option ${option}`, async () => {
        await refuses({ path: `/v1/kv/a?${option}` }, 400, "INVALID_ARGUMENT");
        const [name = "", value = ""] = option.split("=");
        await refuses({ path: "/v1/kv/a", headers: { [`KV-${name}`]: value } }, 400, "INVALID_ARGUMENT");
      });
    }
  });

  describe("numbers that are no plain whole numbers in range are refused", () => {
    const texts = [
      "NaN",
      "1e9",
      "-1",
      "1.5",
      "",
      "0",
      "+5",
      "0x10",
      "007",
      " 5",
      "Infinity",
      "9".repeat(400),
      "99999999999999999",
    ];
    for (const text of texts) {
      const encoded = encodeURIComponent(text);
      test(`ttl=${text.slice(0, 20)}`, async () => {
        await refuses({ path: `/set?key=a&value=b&ttl=${encoded}` }, 400, "INVALID_ARGUMENT");
        await refuses({ method: "PUT", path: `/v1/kv/a?ttl=${encoded}`, body: "x" }, 400, "INVALID_ARGUMENT");
      });
      test(`limit=${text.slice(0, 20)}`, () => refuses({ path: `/v1/kv?limit=${encoded}` }, 400, "INVALID_ARGUMENT"));
    }
    test("limit=1001, one above the largest page", async () => {
      await refuses({ path: "/v1/kv?limit=1001" }, 400, "INVALID_ARGUMENT");
      assert.equal((await send(address(), { path: `/v1/kv?limit=1000&prefix=${freshKey()}` })).status, 200);
    });
    for (const flag of ["yes", "", "TRUE", "2"]) {
      test(`reverse=${flag}`, () => refuses({ path: `/v1/kv?reverse=${flag}` }, 400, "INVALID_ARGUMENT"));
    }
  });

  describe("tags that are not one version in quotes are refused", () => {
    const tags = [
      '"abc"',
      '"-1"',
      '"1e3"',
      '"9007199254740992"',
      'W/"1"',
      '"1", "2"',
      "1",
      '""',
      '"007"',
      '"1',
      "",
      '"1 "',
    ];
    for (const tag of tags) {
      test(`If-Match and If-None-Match: ${tag}`, async () => {
        for (const name of ["If-Match", "If-None-Match"]) {
          await refuses({ path: "/v1/kv/a", headers: { [name]: tag } }, 400, "INVALID_ARGUMENT");
          await refuses(
            { method: "PUT", path: "/v1/kv/a", headers: { [name]: tag }, body: "x" },
            400,
            "INVALID_ARGUMENT",
          );
          await refuses({ method: "DELETE", path: "/v1/kv/a", headers: { [name]: tag } }, 400, "INVALID_ARGUMENT");
        }
      });
    }
    test("the largest version that there can be is a version", async () => {
      const headers = { "If-Match": '"9007199254740991"' };
      await refuses({ method: "PUT", path: `/v1/kv/${freshKey()}`, headers, body: "x" }, 412, "PRECONDITION_FAILED");
    });
    test("both conditions at once, or one that its method does not have", async () => {
      const both = { "If-Match": '"1"', "If-None-Match": "*" };
      await refuses({ method: "PUT", path: "/v1/kv/a", headers: both, body: "x" }, 400, "INVALID_ARGUMENT");
      const one = { "If-None-Match": '"1"' };
      await refuses({ method: "PUT", path: "/v1/kv/a", headers: one, body: "x" }, 400, "INVALID_ARGUMENT");
      await refuses({ method: "DELETE", path: "/v1/kv/a", headers: { "If-None-Match": "*" } }, 400, "INVALID_ARGUMENT");
    });
  });

  describe("methods, paths and versions that do not exist are refused", () => {
    for (const method of ["PATCH", "OPTIONS", "PROPFIND"]) {
      test(`405 for ${method} of a key, with the methods that there are`, async () => {
        const answer = await refused({ method, path: "/v1/kv/a" }, 405, "METHOD_NOT_ALLOWED");
        assert.match(answer.headers["allow"] ?? "", /GET, HEAD, PUT, DELETE/);
      });
    }
    test("405 for what OPTIONS asks of the whole server, and for other methods than GET where nothing is yet", async () => {
      const answer = await refused({ method: "OPTIONS", path: "*" }, 405, "METHOD_NOT_ALLOWED");
      assert.match(answer.headers["allow"] ?? "", /GET, HEAD, PUT, POST, DELETE/);
      await refuses({ method: "TRACE", path: "/" }, 405, "METHOD_NOT_ALLOWED");
    });
    test("405 for a POST that is no increment, and for a GET of the batch", async () => {
      await refuses({ method: "POST", path: "/v1/kv/a", body: "x" }, 405, "METHOD_NOT_ALLOWED");
      await refuses({ path: "/v1/batch" }, 405, "METHOD_NOT_ALLOWED");
    });
    test("405 for a method that nobody knows, and the connection closes", async () => {
      const [answer] = await sendRaw(address(), "FETCH /v1/kv/a HTTP/1.1\r\nHost: localhost\r\n\r\n");
      assert.equal(answer?.status, 405);
    });
    test("405 for CONNECT, and the connection closes", async () => {
      const [answer] = await sendRaw(address(), "CONNECT example.com:80 HTTP/1.1\r\nHost: localhost\r\n\r\n");
      assert.equal(answer?.status, 405);
    });
    for (const path of [
      "/v1",
      "/v1/",
      "/v1/keys",
      "/set/",
      "/GET?key=a",
      "/%67et?key=a",
      "//get?key=a",
      "/v1/kvx/a",
      "*",
    ]) {
      test(`404 for ${path}`, () => refuses({ path }, 404, "NO_SUCH_PATH"));
    }
    for (const path of ["/v2/kv/a", "/v0/kv/a", "/v11/kv/a", "/v2"]) {
      test(`400 for the unknown version of ${path}`, () => refuses({ path }, 400, "INVALID_ARGUMENT"));
    }
  });

  describe("cursors that do not belong to the query are refused", () => {
    const cursorOf = async (query: string): Promise<string> => {
      const page = (await send(address(), { path: `/v1/kv?${query}` })).json() as { cursor: string | null };
      assert.ok(page.cursor !== null);
      return page.cursor;
    };
    const twoKeys = async (): Promise<string> => {
      const prefix = `${freshKey()}:`;
      for (const name of ["a", "b"]) {
        await send(address(), { method: "PUT", path: `/v1/kv/${prefix}${name}`, body: name });
      }
      return prefix;
    };

    test("a cursor changed in any one character", async () => {
      const query = `prefix=${await twoKeys()}&limit=1`;
      const cursor = await cursorOf(query);
      for (let at = 0; at < cursor.length; at++) {
        const changed = cursor.slice(0, at) + (cursor[at] === "A" ? "B" : "A") + cursor.slice(at + 1);
        await refuses({ path: `/v1/kv?${query}&cursor=${changed}` }, 400, "INVALID_CURSOR");
      }
    });

    test("a cursor of another query, cut, empty or made up", async () => {
      const prefix = await twoKeys();
      const query = `prefix=${prefix}&limit=1`;
      const cursor = await cursorOf(query);
      const others = [
        `limit=1&cursor=${cursor}`,
        `prefix=${prefix}a&limit=1&cursor=${cursor}`,
        `${query}&reverse=true&cursor=${cursor}`,
        `${query}&keys_only=true&cursor=${cursor}`,
        `${query}&start=${prefix}&cursor=${cursor}`,
        `${query}&cursor=${cursor.slice(0, -1)}`,
        `${query}&cursor=${cursor}A`,
        `${query}&cursor=`,
        `${query}&cursor=AAAA`,
        `${query}&cursor=${"A".repeat(4000)}`,
        `${query}&cursor=%00%ff`,
      ];
      for (const other of others) await refuses({ path: `/v1/kv?${other}` }, 400, "INVALID_CURSOR");
      assert.equal((await send(address(), { path: `/v1/kv?prefix=${prefix}&limit=9&cursor=${cursor}` })).status, 200);
    });
  });

  describe("promotions that are malformed are refused", () => {
    const wrong = [
      "",
      "{}",
      '{"shard":"a"}',
      '{"shard":1,"node":"b"}',
      '{"shard":"a","node":"b","dry_run":"yes"}',
      '{"shard":"a","node":"b","force":true}',
    ];
    for (const body of wrong) {
      test(`the body ${body}`, () => refuses({ method: "POST", path: "/v1/promote", body }, 400, "INVALID_ARGUMENT"));
    }
  });

  describe("requests of web pages of other origins are refused", () => {
    const foreign: Array<Record<string, string>> = [
      { "Sec-Fetch-Site": "cross-site" },
      { "Sec-Fetch-Site": "same-site" },
      { Origin: "https://evil.example" },
      { Origin: "null" },
      { Origin: "http://localhost:1" },
      { Host: "evil.example" },
      { Host: "localhost.evil.example:8080" },
      { Host: "127.0.0.1.evil.example" },
      { Host: "127.0.0.1.evil.example:80", Origin: "http://127.0.0.1.evil.example:80" },
    ];
    for (const headers of foreign) {
      test(JSON.stringify(headers), async () => {
        await refuses({ path: "/set?key=csrf&value=x", headers }, 403, "FORBIDDEN_ORIGIN");
        await refuses({ method: "PUT", path: "/v1/kv/csrf", headers, body: "x" }, 403, "FORBIDDEN_ORIGIN");
        await refuses({ path: "/v1/kv/csrf", headers }, 403, "FORBIDDEN_ORIGIN");
      });
    }
    test("nothing was written by them", async () => {
      assert.equal((await send(address(), { path: "/v1/kv/csrf" })).status, 404);
    });
    const own: Array<(address: string) => Record<string, string>> = [
      () => ({ "Sec-Fetch-Site": "none" }),
      (node) => ({ "Sec-Fetch-Site": "same-origin", Origin: `http://${node}` }),
      () => ({ Host: "localhost:1234" }),
      () => ({ Host: "LOCALHOST", Origin: "http://localhost" }),
      () => ({ Host: "127.0.0.1" }),
      () => ({ Host: "[::1]:80" }),
    ];
    for (const [index, headers] of own.entries()) {
      test(`one's own are not (${index + 1})`, async () => {
        assert.equal((await send(address(), { path: "/healthz", headers: headers(address()) })).status, 200);
      });
    }
    for (const host of ["a b", "a/b", "user@localhost", "localhost:port", "[::1", "localhost:123456"]) {
      test(`a Host that is none: ${JSON.stringify(host)}`, () =>
        refuses({ path: "/healthz", headers: { Host: host } }, 400, "BAD_REQUEST"));
    }
  });
}
