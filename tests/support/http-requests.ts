import type { SeededRandom } from "../../src/base/random.ts";
import { noise } from "./byte-mutations.ts";

const KEYS = [
  "a",
  "b",
  "c",
  "a/b",
  "k%20l",
  "%00",
  "x%2Fy",
  ".",
  "..",
  "~!$&'()*+,;=:@-_",
  "%C3%A9",
  "__proto__",
  "a?",
  "%",
];
const HOT_HEADERS = [
  "User-Agent: test/1.0 (a; b)",
  "Accept: */*",
  "accept-encoding: gzip, br",
  "Accept-Language: *",
  "Connection: keep-alive",
  "CONNECTION: Keep-Alive",
  "Content-Type: text/plain; charset=utf-8",
  "Sec-Fetch-Mode: cors",
];
/** Headers that mean something, are unusual, or are wrong. */
const OTHER_HEADERS = [
  "If-None-Match: *",
  'If-Match: "3"',
  "If-Match: *",
  "If-Match: abc",
  "KV-Consistency: eventual",
  "KV-Durability: async",
  "KV-Nonsense: 1",
  "KV-Route: redirect",
  "Origin: http://evil.example",
  "Sec-Fetch-Site: cross-site",
  "Content-Encoding: gzip",
  "X-Other: 1",
  "Accept: */*",
  "Content-Type:",
  "Content-Type: \ttext/plain \t",
  "Content-Length: 007",
  "Transfer-Encoding: chunked",
  "Cookie: a=b",
  "Range: bytes=0-1",
  "User-Agent:  two blanks ",
  "Expect: 100-continue",
  "Idempotency-Key: 1",
  "Upgrade: h2c",
  "TE: trailers",
];
const OTHER_REQUESTS = [
  "GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n",
  "GET /v1/kv?prefix=a HTTP/1.1\r\nHost: localhost\r\n\r\n",
  "GET /get?key=a HTTP/1.1\r\nHost: localhost\r\n\r\n",
  "GET /set?key=a&value=plain HTTP/1.1\r\nHost: localhost\r\n\r\n",
  "GET /delete?key=b HTTP/1.1\r\nHost: localhost\r\n\r\n",
  "PUT /v1/kv/a?ttl=100 HTTP/1.1\r\nHost: localhost\r\nContent-Length: 3\r\n\r\nttl",
  "GET /v1/kv/a?consistency=eventual HTTP/1.1\r\nHost: localhost\r\n\r\n",
  'POST /v1/kv/n/increment HTTP/1.1\r\nHost: localhost\r\nContent-Length: 8\r\n\r\n{"by":2}',
  "PUT /v1/kv/c HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n",
  "PATCH /v1/kv/a HTTP/1.1\r\nHost: localhost\r\n\r\n",
  "OPTIONS * HTTP/1.1\r\nHost: localhost\r\n\r\n",
  "GET http://localhost/v1/kv/a HTTP/1.1\r\nHost: localhost\r\n\r\n",
  "GET /v1/kv/ HTTP/1.1\r\nHost: localhost\r\n\r\n",
  "GET /v1/kv/a HTTP/1.1\r\n\r\n",
  "GET /v1/kv/a HTTP/1.1\r\nHost: evil.example\r\n\r\n",
  "\r\nGET /v1/kv/a HTTP/1.1\r\nHost: localhost\r\n\r\n",
  "GET /nowhere HTTP/1.1\r\nHost: localhost\r\nContent-Length: 4\r\n\r\nbody",
];
/** Behind these the server hangs up: bytes that follow could be lost in more than one way. */
const LAST_REQUESTS = [
  "GET /v1/kv/a HTTP/1.0\r\nHost: localhost\r\n\r\n",
  "GET /v1/kv/a HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n",
  "PUT /v1/kv/a HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nContent-Length: 3\r\n\r\nend",
];

/** A request of one of the hot shapes, with the headers that clients really send. */
export function hotRequest(random: SeededRandom, keyPrefix = ""): Buffer {
  const method = pick(random, ["GET", "GET", "PUT", "PUT", "DELETE", "HEAD"]);
  const headers = HOT_HEADERS.filter(() => random.below(6) === 0);
  return request(random, { method, headers, keyPrefix });
}

/** Requests of all kinds as one client could pipeline them: most hot, some not, a few of them damaged. */
export function requestSequence(random: SeededRandom): Buffer {
  const requests = Array.from({ length: 1 + random.below(8) }, () => anyRequest(random));
  if (random.below(4) === 0) requests.push(Buffer.from(pick(random, LAST_REQUESTS)));
  return Buffer.concat(requests);
}

/** `bytes` in pieces, cut at random. */
export function cutAtRandom(random: SeededRandom, bytes: Buffer): Buffer[] {
  const cuts = Array.from({ length: random.below(6) }, () => random.below(bytes.length + 1)).sort((a, b) => a - b);
  return [0, ...cuts].map((cut, index) => bytes.subarray(cut, cuts[index] ?? bytes.length));
}

function anyRequest(random: SeededRandom): Buffer {
  const kind = random.below(20);
  if (kind < 12) return hotRequest(random);
  if (kind < 15) {
    return request(random, { method: pick(random, ["GET", "PUT", "DELETE"]), headers: [pick(random, OTHER_HEADERS)] });
  }
  if (kind < 19) return Buffer.from(pick(random, OTHER_REQUESTS));
  return damaged(random, hotRequest(random));
}

function request(
  random: SeededRandom,
  { method, headers, keyPrefix = "" }: { method: string; headers: readonly string[]; keyPrefix?: string },
): Buffer {
  const isLarge = random.below(40) === 0;
  const body = method === "PUT" ? noise(random, isLarge ? 60_000 + random.below(10_000) : random.below(300)) : null;
  const length =
    body === null || (body.length === 0 && random.below(2) === 0) ? [] : [`Content-Length: ${body.length}`];
  const lines = ["Host: localhost", ...headers, ...length];
  const head = `${method} /v1/kv/${keyPrefix}${pick(random, KEYS)} HTTP/1.1\r\n${lines.join("\r\n")}\r\n\r\n`;
  return Buffer.concat([Buffer.from(head, "latin1"), body ?? Buffer.alloc(0)]);
}

/** One byte changed, left out, or put in, mostly in the head. */
function damaged(random: SeededRandom, bytes: Buffer): Buffer {
  const at = random.below(Math.min(bytes.length, 120));
  const byte = Buffer.from([pick(random, [0, 9, 10, 13, 32, 35, 37, 58, 63, 127, 200, random.below(256)])]);
  const kind = random.below(3);
  return Buffer.concat([
    bytes.subarray(0, at),
    kind === 0 ? Buffer.alloc(0) : byte,
    bytes.subarray(kind === 2 ? at : at + 1),
  ]);
}

function pick<Item>(random: SeededRandom, items: readonly [Item, ...Item[]] | readonly Item[]): Item {
  const item = items[random.below(items.length)];
  if (item === undefined) throw new Error("There is nothing to pick from");
  return item;
}
