import assert from "node:assert/strict";
import { readFileSync, rmSync, writeFileSync } from "node:fs";
import { connect } from "node:net";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { SeededRandom } from "../../src/base/random.ts";
import type { Coordinator, SwapResult } from "../../src/coordinator/coordinator.ts";
import { runKv } from "../cluster/support/program.ts";
import { EmbeddedKind } from "./coordinator-kinds/embedded-kind.ts";

const KEY = "/kv/test/shards/Delhi";
const JSON_TYPE = { "Content-Type": "application/json" };

async function swap(coordinator: Coordinator, from: string, to: string): Promise<SwapResult> {
  return new Promise((resolve) => {
    coordinator.compareAndSwap(KEY, { expectedRevision: from, value: to }, resolve);
  });
}

async function read(coordinator: Coordinator): Promise<{ value: string; revision: string }> {
  return new Promise((resolve, reject) => {
    coordinator.read(KEY, (result) => {
      if (result.kind === "value") resolve(result);
      else if (result.kind === "absent") resolve({ value: "", revision: "0" });
      else reject(new Error(result.reason));
    });
  });
}

describe("the process of the embedded coordinator", () => {
  let kind: EmbeddedKind;
  before(async () => {
    kind = await EmbeddedKind.start();
  });
  after(async () => kind.dispose());

  test("kill -9 at any moment loses no accepted swap, and leaves no half of one", async () => {
    const random = new SeededRandom(20_261);
    let total = 0;
    for (let round = 0; round < 6; round++) {
      const coordinator = kind.open(kind.endpoints, 2000);
      let last = await read(coordinator);
      const tried = new Set([last.value]);
      const killed = sleep(20 + 200 * random.next()).then(async () => kind.kill());
      for (let i = 0; ; i++) {
        const value = `round ${round}, swap ${i}, ${"x".repeat(random.below(4000))}`;
        const result = await swap(coordinator, last.revision, value);
        if (result.kind !== "accepted") {
          tried.add(value);
          break;
        }
        last = { value, revision: result.revision };
        tried.clear();
        tried.add(value);
        total++;
      }
      coordinator.close();
      await killed;
      await kind.restart();
      const reader = kind.open(kind.endpoints, 2000);
      const found = await read(reader);
      assert(tried.has(found.value), `round ${round}: ${found.value.slice(0, 40)} after ${last.value.slice(0, 40)}`);
      assert(Number(found.revision) >= Number(last.revision));
      reader.close();
    }
    assert(total > 20, `${total} swaps were accepted`);
  });

  test("what is no request is refused with a sentence and changes nothing", async () => {
    const base = `http://${kind.address}`;
    const ask = async (path: string, init: RequestInit): Promise<[number, string]> => {
      const response = await fetch(`${base}${path}`, init);
      return [response.status, await response.text()];
    };
    const post = async (path: string, body: string, headers: Record<string, string> = JSON_TYPE) =>
      ask(path, { method: "POST", body, headers });
    const rows: readonly (readonly [Promise<[number, string]>, number, RegExp])[] = [
      [post("/v1/read", ""), 400, /not a JSON object/],
      [post("/v1/read", "[]"), 400, /not a JSON object/],
      [post("/v1/read", "{}"), 400, /is no key/],
      [post("/v1/read", '{"key":5}'), 400, /is no key/],
      [post("/v1/read", '{"key":"/kv/a","x":1}'), 400, /\\"x\\" is not a known member/],
      [post("/v1/read", `{"key":"${"x".repeat(5000)}"}`), 400, /is no key/],
      [post("/v1/list", '{"prefix":"/kv"}'), 400, /is no prefix/],
      [post("/v1/swap", '{"key":"/kv/a","expected":0,"value":"x"}'), 400, /has the texts/],
      [post("/v1/swap", '{"key":"/kv/a","expected":"-1","value":"x"}'), 400, /is no revision/],
      [post("/v1/swap", `{"key":"/kv/a","expected":"0","value":"${"x".repeat(1_048_577)}"}`), 400, /more than 1048576/],
      [post("/v1/swap", "x".repeat(2_200_000)), 413, /longer than/],
      [post("/v1/nothing", "{}"), 404, /no such path/],
      [post(`/v1/${"x".repeat(300)}`, "{}"), 414, /longer than 256 bytes/],
      [post("/v1/read", "{}", { "Content-Type": "text/plain" }), 415, /must be application\/json/],
      [post("/v1/read", "{}", { ...JSON_TYPE, Origin: "http://127.0.0.1:7100" }), 403, /web page/],
      [ask("/v1/read", {}), 405, /only POST/],
    ];
    for (const [answer, status, text] of rows) {
      const [found, body] = await answer;
      assert.equal(found, status, body);
      assert.match(body, text);
      assert.match(body, /"outcome":"not_applied"\}$/);
    }
    assert.deepEqual(await ask("/healthz", {}), [200, '{"documents":1}']);
  });

  test("a page that points its own name here, and bytes that are no HTTP, get nothing", async () => {
    const [host = "", port = ""] = kind.address.split(":");
    const tell = async (text: string): Promise<string> =>
      new Promise((resolve) => {
        let answer = "";
        const socket = connect({ host, port: Number(port) }, () => socket.write(text));
        socket.on("data", (chunk: Buffer) => (answer += chunk.toString()));
        socket.on("close", () => resolve(answer));
        socket.on("error", () => resolve(answer));
      });
    const head = (name: string, value: string): string =>
      `POST /v1/read HTTP/1.1\r\n${name}: ${value}\r\nContent-Type: application/json\r\nContent-Length: 2\r\n\r\n{}`;
    assert.match(await tell(head("Host", "evil.example:7100")), /403 .*The coordinator is not called evil\.example/s);
    assert.match(await tell(head("X", "y")), /403 .*Host is missing/s);
    assert.match(
      await tell("GET / HTTP/1.1\r\nHost: localhost\r\nSec-Fetch-Site: same-origin\r\n\r\n"),
      /403 .*web page/s,
    );
    assert.match(await tell("hello\r\n\r\n"), /^HTTP\/1\.1 400/);
    assert.match(await tell(`POST /v1/read HTTP/1.1\r\nHost: ${"x".repeat(20_000)}\r\n\r\n`), /^HTTP\/1\.1 431/);
    const chunk = "x".repeat(65_536);
    const chunked = `${chunk.length.toString(16)}\r\n${chunk}\r\n`.repeat(40);
    const endless =
      "POST /v1/swap HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n";
    assert.match(await tell(`${endless}${chunked}`), /413 |^$/);
  });

  test("watchers are bounded, and those that go away make room", async () => {
    const watchers = new AbortController();
    const statuses = await Promise.all(
      Array.from({ length: 1030 }, async () => {
        const response = await fetch(`http://${kind.address}/v1/watch`, {
          method: "POST",
          body: JSON.stringify({ key: KEY }),
          headers: JSON_TYPE,
          signal: watchers.signal,
        });
        return response.status;
      }),
    );
    assert.equal(statuses.filter((status) => status === 200).length, 1024);
    assert.equal(statuses.filter((status) => status === 503).length, 6);
    watchers.abort();
    await sleep(300);
    const hinted = Promise.withResolvers<void>();
    const coordinator = kind.open(kind.endpoints);
    coordinator.watch(KEY, () => hinted.resolve());
    await hinted.promise;
    coordinator.close();
  });

  test("a second one is refused: the port's process is named, and so is the directory's", async () => {
    const elsewhere = `${kind.directory}-2`;
    const samePort = await runKv(["coordinator", "--listen", kind.address, "--data", elsewhere]);
    rmSync(elsewhere, { recursive: true, force: true });
    assert.equal(samePort.exitCode, 1);
    assert.match(samePort.stderr, /^kv: 127\.0\.0\.1:\d+ is in use by process \d+ \(.*kv\.ts coordinator/);
    const sameData = await runKv(["coordinator", "--listen", "127.0.0.1:1", "--data", kind.directory]);
    assert.equal(sameData.exitCode, 1);
    assert.match(sameData.stderr, /^kv: The data directory .* is in use by process \d+/);
  });

  test("wrong options are refused, and so is an address that other machines reach", async () => {
    const wrong = await runKv(["coordinator", "--listen", "7100"]);
    assert.equal(wrong.exitCode, 2);
    assert.match(wrong.stderr, /^kv: --listen 7100 must be host:port/);
    const open = await runKv(["coordinator", "--listen", "192.0.2.1:7100", "--data", kind.directory]);
    assert.equal(open.exitCode, 1);
    assert.match(open.stderr, /^kv: 192\.0\.2\.1:7100 can be reached from other machines.*--insecure/);
  });

  test("SIGTERM ends it with exit code 0; a damaged file is refused, and left as it is", async () => {
    const coordinator = kind.open(kind.endpoints, 2000);
    coordinator.watch(KEY, () => {});
    await read(coordinator);
    assert.equal(await kind.kill("SIGTERM"), 0, "open connections and watches do not keep it");
    coordinator.close();
    const path = join(kind.directory, "documents.json");
    const whole = readFileSync(path);
    writeFileSync(path, whole.subarray(0, whole.length - 10));
    const refused = await runKv(["coordinator", "--listen", kind.address, "--data", kind.directory]);
    assert.equal(refused.exitCode, 1);
    assert.match(refused.stderr, /documents\.json is damaged/);
    assert.equal(readFileSync(path).length, whole.length - 10);
    writeFileSync(path, whole);
    await kind.restart();
  });
});
