import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { ERRORS, type ErrorCode, KvError } from "../../src/model/errors.ts";
import { RawConnection, send, type TestRequest } from "../support/http-client.ts";
import { eventually, startLocalHttp } from "../support/local-http.ts";

const KEY_REQUESTS: TestRequest[] = [
  { path: "/get?key=a" },
  { path: "/set?key=a&value=b" },
  { path: "/delete?key=a" },
  { path: "/v1/kv/a" },
  { method: "PUT", path: "/v1/kv/a", body: "x" },
  { method: "DELETE", path: "/v1/kv/a" },
  { method: "POST", path: "/v1/kv/a/increment" },
];
const SCAN: TestRequest = { path: "/v1/kv?prefix=a" };

/** What a node may answer, whatever the request was. */
const NODE_ERRORS: ErrorCode[] = [
  "NOT_LEADER",
  "NO_LEADER",
  "NOT_READY",
  "BUSY",
  "OVERLOADED",
  "DISK_FULL",
  "NOT_ENOUGH_REPLICAS",
  "UNREACHABLE",
  "TOO_MANY_HOPS",
  "DEADLINE_EXCEEDED",
  "STOPPING",
  "CORRUPT",
  "UNKNOWN_OUTCOME",
  "INTERNAL",
];

describe("what the node answers reaches the client as it is", () => {
  for (const code of NODE_ERRORS) {
    test(`${code} is ${ERRORS[code].http}, its outcome ${ERRORS[code].outcome}, on every path`, async (context) => {
      const { address, gateway } = await startLocalHttp(context);
      gateway.failure = new KvError(code, "Because the test says so", { details: { why: 1 } });
      for (const request of [...KEY_REQUESTS, SCAN]) {
        const answer = await send(address, request);
        assert.equal(answer.status, ERRORS[code].http);
        assert.equal(answer.headers["content-type"], "application/problem+json");
        const problem = answer.json() as Record<string, unknown>;
        assert.equal(problem["code"], code);
        assert.equal(problem["outcome"], ERRORS[code].outcome);
        assert.equal(problem["detail"], "Because the test says so");
        assert.deepEqual(problem["details"], { why: 1 });
        assert.equal("retry-after" in answer.headers, answer.status === 503);
        if (request !== SCAN) assert.equal(answer.headers["kv-shard"], "Solo");
      }
    });
  }

  test("a batch answers 200, each operation with its own outcome", async (context) => {
    const { address, gateway } = await startLocalHttp(context);
    gateway.failure = new KvError("UNKNOWN_OUTCOME", "The leader went away");
    const body = '{"ops":[{"set":{"key":"a","value":"b"}},{"get":{"key":"a"}}]}';
    const answer = await send(address, { method: "POST", path: "/v1/batch", body });
    assert.equal(answer.status, 200);
    const { results } = answer.json() as { results: Array<Record<string, unknown>> };
    assert.deepEqual(
      results.map(({ status, code, outcome }) => [status, code, outcome]),
      [
        [504, "UNKNOWN_OUTCOME", "unknown"],
        [504, "UNKNOWN_OUTCOME", "unknown"],
      ],
    );
  });

  test("values that do not fit into one answer fail their own read of a batch", async (context) => {
    const { address } = await startLocalHttp(context);
    await send(address, { method: "PUT", path: "/v1/kv/large", body: Buffer.alloc(9_000_000, "v") });
    const op = { get: { key: "large" } };
    const answer = await send(address, { method: "POST", path: "/v1/batch", body: JSON.stringify({ ops: [op, op] }) });
    const { results } = answer.json() as { results: Array<{ status: number; code: string }> };
    assert.deepEqual(
      results.map(({ status, code }) => [status, code]),
      [
        [200, "OK"],
        [413, "VALUE_TOO_LARGE"],
      ],
    );
  });

  test("a node that is not ready says why at /readyz, and is live all the same", async (context) => {
    const { address, gateway } = await startLocalHttp(context);
    gateway.ready = false;
    const answer = await send(address, { path: "/readyz" });
    assert.equal(answer.status, 503);
    assert.equal((answer.json() as { detail: string }).detail, "The replica is far behind");
    assert.equal((await send(address, { path: "/healthz" })).status, 200);
  });
});

describe("what the client asks for reaches the node as it is", () => {
  test("operations carry key, value, type, expiry and condition", async (context) => {
    const { address, gateway } = await startLocalHttp(context);
    const headers = { "Content-Type": "text/plain", "If-Match": '"7"', "KV-Durability": "in-sync" };
    await send(address, { method: "PUT", path: "/v1/kv/%ff/x?ttl=3&consistency=strict", headers, body: "v" });
    assert.deepEqual(gateway.asked, [
      {
        operation: {
          kind: "set",
          key: "\xff/x",
          value: Buffer.from("v"),
          contentType: "text/plain",
          expiry: { kind: "after", ms: 3000 },
          condition: { kind: "version", version: 7 },
          returnOld: false,
        },
        options: { consistency: "strict", durability: "in-sync" },
      },
    ]);
  });

  test("a scan that ends where a page reached its size goes on from there", async (context) => {
    const { address, gateway } = await startLocalHttp(context);
    for (const name of ["a", "b", "c"]) await send(address, { method: "PUT", path: `/v1/kv/${name}`, body: name });
    gateway.pageRowsMax = 1;
    const keys: string[] = [];
    for (let cursor = ""; ;) {
      const page = (await send(address, { path: `/v1/kv?limit=1000${cursor}` })).json() as {
        items: Array<{ key: string }>;
        cursor: string | null;
      };
      keys.push(...page.items.map(({ key }) => key));
      if (page.cursor === null) break;
      cursor = `&cursor=${page.cursor}`;
    }
    assert.deepEqual(keys, ["a", "b", "c"]);
  });

  test("a promotion is carried out, shown beforehand, or refused with the reason", async (context) => {
    const { address } = await startLocalHttp(context);
    const promote = (body: unknown) =>
      send(address, { method: "POST", path: "/v1/promote", body: JSON.stringify(body) });
    const done = await promote({ shard: "Solo", node: "127.0.0.1:1" });
    assert.equal(done.status, 200);
    assert.equal((done.json() as { done: boolean }).done, true);
    const shown = await promote({ shard: "Solo", node: "127.0.0.1:2", dry_run: true });
    assert.equal(shown.status, 200);
    assert.equal((shown.json() as { refusal: string }).refusal, "127.0.0.1:2 is no member of Solo");
    const refused = await promote({ shard: "Solo", node: "127.0.0.1:2", accept_data_loss: true });
    assert.equal(refused.status, 409);
    const problem = refused.json() as {
      code: string;
      detail: string;
      details: { report: { missing_entries: number } };
    };
    assert.equal(problem.code, "PROMOTION_REFUSED");
    assert.equal(problem.details.report.missing_entries, 0);
    assert.equal((await promote({ shard: "None", node: "127.0.0.1:2" })).status, 400);
  });
});

describe("KV-Route: redirect", () => {
  const headers = { "KV-Route": "redirect" };

  test("sends to the leader with 307, and nothing is done here", async (context) => {
    const { address, gateway } = await startLocalHttp(context);
    gateway.leader = "127.0.0.5:8080";
    for (const request of KEY_REQUESTS) {
      const answer = await send(address, { ...request, headers });
      assert.equal(answer.status, 307);
      assert.equal(answer.headers["location"], `http://127.0.0.5:8080${request.path}`);
      assert.equal(answer.headers["kv-shard"], "Solo");
    }
    assert.equal(gateway.asked?.length, 0);
  });

  test("keeps the target as it was sent", async (context) => {
    const { address, gateway } = await startLocalHttp(context);
    gateway.leader = "127.0.0.5:8080";
    const target = "/v1/kv/a%2Fb%0d%0a%ff?consistency=linearizable";
    const answer = await send(address, { path: target, headers });
    assert.equal(answer.headers["location"], `http://127.0.0.5:8080${target}`);
  });

  test("changes nothing where the leader is asked, and is 503 where none is known", async (context) => {
    const { address, gateway } = await startLocalHttp(context);
    assert.equal((await send(address, { method: "PUT", path: "/v1/kv/a", headers, body: "x" })).status, 201);
    gateway.leader = null;
    const answer = await send(address, { path: "/v1/kv/a", headers });
    assert.equal(answer.status, 503);
    assert.equal((answer.json() as { code: string }).code, "NO_LEADER");
  });

  test("takes no other word", async (context) => {
    const { address } = await startLocalHttp(context);
    assert.equal((await send(address, { path: "/v1/kv/a", headers: { "KV-Route": "forward" } })).status, 400);
  });
});

describe("one connection", () => {
  test("is still good after refused requests whose end was clear", async (context) => {
    const { address } = await startLocalHttp(context);
    const connection = await RawConnection.open(address);
    const host = "Host: localhost\r\n";
    connection.write(`GET /get HTTP/1.1\r\n${host}\r\n`);
    connection.write(`PUT /nowhere HTTP/1.1\r\n${host}Content-Length: 5\r\n\r\nhello`);
    connection.write(`POST /v1/batch HTTP/1.1\r\n${host}Content-Length: 5\r\n\r\nhello`);
    connection.write(`GET /healthz HTTP/1.1\r\n${host}\r\n`);
    const answers = await connection.answers(4);
    assert.deepEqual(
      answers.map(({ status }) => status),
      [400, 404, 400, 200],
    );
    connection.destroy();
  });

  test("carries out one request after the other", async (context) => {
    const { address, gateway } = await startLocalHttp(context);
    gateway.hold();
    const connection = await RawConnection.open(address);
    connection.write(`GET /v1/kv/a HTTP/1.1\r\nHost: localhost\r\n\r\n`.repeat(3));
    await eventually("the first is under way", () => gateway.heldCount === 1);
    assert.equal(gateway.asked?.length, 1);
    gateway.release();
    assert.equal((await connection.answers(3)).length, 3);
    assert.equal(gateway.asked?.length, 3);
    connection.destroy();
  });

  test("that goes away while its request is under way costs nothing", async (context) => {
    const { address, gateway, server } = await startLocalHttp(context);
    gateway.hold();
    for (let round = 0; round < 20; round++) {
      const connection = await RawConnection.open(address);
      connection.write(`GET /v1/kv/a HTTP/1.1\r\nHost: localhost\r\n\r\n`.repeat(2));
      await eventually("it is under way", () => gateway.heldCount === round + 1);
      if (round % 2 === 0) connection.socket.resetAndDestroy();
      else connection.destroy();
    }
    gateway.release();
    await eventually("all connections are gone", () => server.connectionCount === 0);
    assert.equal((await send(address, { path: "/healthz" })).status, 200);
  });
});
