import assert from "node:assert/strict";
import { test } from "node:test";
import { AnswerReader } from "./answer-reader.ts";
import type { ClientProtocol } from "./client-protocol.ts";
import { HttpProtocol } from "./http-protocol.ts";
import { Records } from "./records.ts";
import { RespProtocol } from "./resp-protocol.ts";

const records = new Records("bench:", 64);
const LARGE = "x".repeat(300);

function http(): ClientProtocol {
  return new HttpProtocol({ records, keyPrefix: "bench:", host: "127.0.0.1:8080", durability: null });
}

const PROBLEM = '{"code":"NOT_LEADER","detail":"Shard \\"Delhi\\" moved"}';

const HTTP_ANSWERS: readonly (readonly [bytes: string, expected: string])[] = [
  ["HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello", "value hello"],
  ["HTTP/1.1 200 OK\r\nKV-Version: 17\r\nContent-Length: 2\r\nKV-Role: leader\r\n\r\nok", "value ok"],
  ["HTTP/1.1 404 Not Found\r\ncontent-length:0\r\n\r\n", "missing "],
  ["HTTP/1.1 204 No Content\r\n\r\n", "value "],
  ["HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhi\r\n0\r\n\r\n", "value 2\r\nhi\r\n0\r\n\r\n"],
  [`HTTP/1.1 200 OK\r\nContent-Length: 300\r\n\r\n${LARGE}`, `value ${LARGE}`],
  [`HTTP/1.1 503 X\r\nContent-Length: ${PROBLEM.length}\r\n\r\n${PROBLEM}`, `error ${PROBLEM}`],
  ["HTTP/1.1 201 Created\r\nContent-Length: 2\r\n\r\n{}", "value {}"],
];

const RESP_ANSWERS: readonly (readonly [bytes: string, expected: string])[] = [
  ["+OK\r\n", "done OK"],
  ["$5\r\nhello\r\n", "value hello"],
  ["$-1\r\n", "missing -1"],
  ["$0\r\n\r\n", "value "],
  ["-TRYAGAIN Shard Delhi has no leader\r\n", "error TRYAGAIN Shard Delhi has no leader"],
  [":1\r\n", "done 1"],
  [`$300\r\n${LARGE}\r\n`, `value ${LARGE}`],
  ["$4\r\n\r\n\r\n\r\n", "value \r\n\r\n"],
];

for (const [name, protocol, answers] of [
  ["HTTP", http, HTTP_ANSWERS],
  ["RESP", () => new RespProtocol(records), RESP_ANSWERS],
] as const) {
  test(`pipelined ${name} answers are the same however their bytes are cut`, () => {
    const bytes = Buffer.from(answers.map(([text]) => text).join(""), "latin1");
    const expected = answers.map(([, text]) => text);
    for (let cut = 0; cut < bytes.length; cut++) {
      assert.deepEqual(readParts(protocol(), [bytes.subarray(0, cut), bytes.subarray(cut)]), expected, `cut at ${cut}`);
    }
    for (const size of [1, 2, 7, 100]) {
      const parts = [];
      for (let at = 0; at < bytes.length; at += size) parts.push(bytes.subarray(at, at + size));
      assert.deepEqual(readParts(protocol(), parts), expected, `in parts of ${size}`);
    }
  });
}

test("what is not the protocol is malformed, and not waited for", () => {
  for (const [protocol, text] of [
    [http(), "SSH-2.0-OpenSSH_9.2\r\n\r\n"],
    [http(), "HTTP/1.1 200 OK\r\n\r\nno length"],
    [http(), "x".repeat(70_000)],
    [new RespProtocol(records), "HTTP/1.1 400 Bad Request\r\n"],
    [new RespProtocol(records), "$12a\r\n"],
    [new RespProtocol(records), "x".repeat(70_000)],
  ] as const) {
    assert.match(readParts(protocol, [Buffer.from(text)])[0] ?? "nothing", /^malformed /, text.slice(0, 40));
  }
});

test("an answer in another protocol is shown whole", () => {
  const [shown] = readParts(new RespProtocol(records), [Buffer.from("HTTP/1.1 400 Bad Request\r\n\r\n")]);
  assert.match(shown ?? "", /HTTP\/1\.1 400 Bad Request/);
});

test("an error is counted by its code, and its detail is for people", () => {
  const seen: unknown[] = [];
  for (const [protocol, text] of [
    [http(), `HTTP/1.1 503 X\r\nContent-Length: ${PROBLEM.length}\r\n\r\n${PROBLEM}`],
    [http(), "HTTP/1.1 502 X\r\nContent-Length: 7\r\n\r\ngateway"],
    [new RespProtocol(records), "-UNKNOWN the answer got lost\r\n"],
    [new RespProtocol(records), "-oops\r\n"],
  ] as const) {
    new AnswerReader((answer) => seen.push(protocol.errorOf(answer))).take(Buffer.from(text), protocol);
  }
  assert.deepEqual(seen, [
    { code: "NOT_LEADER", text: 'Shard \\"Delhi\\" moved' },
    { code: "HTTP", text: "gateway" },
    { code: "UNKNOWN", text: "UNKNOWN the answer got lost" },
    { code: "ERR", text: "oops" },
  ]);
});

test("a value is its key's only with every byte right; its tag tells which write it is", () => {
  for (const size of [0, 5, 10, 11, 14, 64, 1000]) {
    const sized = new Records("p:", size);
    const bytes = Buffer.from(`..${sized.valueOf(1234, 98)}..`, "latin1");
    assert.equal(bytes.length, size + 4);
    assert.equal(sized.faultOf(bytes, 2, 2 + size, 1234), null, `size ${size}`);
    assert.equal(sized.faultOf(bytes, 2, 3 + size, 1234), "length");
    if (size >= 10) assert.equal(sized.faultOf(bytes, 2, 2 + size, 1235), "content", `size ${size}`);
    for (let at = 2; at < 2 + size; at++) {
      const flipped = Buffer.from(bytes);
      flipped[at] = (flipped[at] ?? 0) ^ 0x80;
      assert.equal(sized.faultOf(flipped, 2, 2 + size, 1234), "content", `size ${size}, byte ${at}`);
    }
  }
});

function readParts(protocol: ClientProtocol, parts: readonly Buffer[]): string[] {
  const seen: string[] = [];
  const reader = new AnswerReader(({ kind, bytes, start, end }) => {
    seen.push(`${kind} ${bytes.toString("latin1", start, end)}`);
  });
  for (const part of parts) if (part.length > 0) reader.take(part, protocol);
  return seen;
}
