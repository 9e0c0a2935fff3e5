import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { once } from "node:events";
import { chmodSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createServer, type RequestListener } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { SystemRandom } from "../../src/base/random.ts";
import { SystemClock } from "../../src/base/system-clock.ts";
import { findFreePorts } from "../../src/bench/suite/free-ports.ts";
import type { TlsCredentials } from "../../src/coordinator/checked-agent.ts";
import type { Coordinator, ListResult, ReadResult, SwapResult } from "../../src/coordinator/coordinator.ts";
import { KvError } from "../../src/model/errors.ts";
import type { CoordinatorSettings } from "../../src/server/coordinator-table.ts";
import { openCoordinator } from "../../src/server/open-coordinator.ts";
import { EtcdCluster } from "../support/etcd-cluster.ts";
import { hasProgram } from "../support/redis-process.ts";
import { TestAuthority } from "../support/test-certificates.ts";
import { openEtcd } from "./coordinator-kinds/etcd-kind.ts";

const skip = hasProgram("etcd") ? false : "etcd (etcd-server) is not installed";
const skipTls = skip === false && !hasOpenssl() ? "openssl is not installed" : skip;
const KEY = "/kv/test/shards/Delhi";

function hasOpenssl(): boolean {
  return spawnSync("openssl", ["version"]).status === 0;
}

async function read(coordinator: Coordinator, key = KEY): Promise<ReadResult> {
  return new Promise((resolve) => {
    coordinator.read(key, resolve);
  });
}

async function swap(coordinator: Coordinator, from: string, to: string): Promise<SwapResult> {
  return new Promise((resolve) => {
    coordinator.compareAndSwap(KEY, { expectedRevision: from, value: to }, resolve);
  });
}

/** The revision at which `KEY` is now; retried while the members look for a leader. */
async function mustRead(coordinator: Coordinator): Promise<{ value: string; revision: string }> {
  for (const endMs = performance.now() + 15_000; ;) {
    const result = await read(coordinator);
    if (result.kind === "value") return result;
    if (result.kind === "absent") return { value: "", revision: "0" };
    assert(performance.now() < endMs, result.reason);
    await sleep(50);
  }
}

/** Swaps as rule C3 says, until one swap is certain; gives the number of attempts. */
async function swapUntilCertain(coordinator: Coordinator, value: string): Promise<number> {
  for (let attempt = 1; ; attempt++) {
    const { revision } = await mustRead(coordinator);
    const result = await swap(coordinator, revision, value);
    if (result.kind === "accepted") return attempt;
    assert(attempt < 50, JSON.stringify(result));
    await sleep(50);
  }
}

describe("etcd with three members", { skip }, () => {
  let etcd: EtcdCluster;
  before(async () => {
    etcd = await EtcdCluster.start(3);
  });
  after(async () => etcd.dispose());

  test("serves on when one member is killed, whichever it is, and takes it back", async () => {
    const coordinator = openEtcd(etcd.ports);
    for (const victim of [await etcd.findLeader(), 0]) {
      await swapUntilCertain(coordinator, `before ${victim}`);
      await etcd.kill(victim);
      assert.equal((await mustRead(coordinator)).value, `before ${victim}`);
      await swapUntilCertain(coordinator, `without ${victim}`);
      assert.equal((await mustRead(coordinator)).value, `without ${victim}`);
      await etcd.startMember(victim);
      const direct = openEtcd(etcd.ports.slice(victim, victim + 1));
      assert.equal((await mustRead(direct)).value, `without ${victim}`, "the member that came back has caught up");
      direct.close();
    }
    coordinator.close();
  });

  test("a read goes on to the next endpoint within its deadline, when the first is silent", async () => {
    const coordinator = openEtcd(etcd.ports, { deadlineMs: 2000 });
    const leader = await etcd.findLeader();
    const follower = (leader + 1) % 3;
    const ports = [follower, leader].flatMap((index) => etcd.ports.slice(index, index + 1));
    const client = openEtcd(ports, { deadlineMs: 1000 });
    const expected = await mustRead(coordinator);
    etcd.signal(follower, "SIGSTOP");
    try {
      const startedMs = performance.now();
      const result = await read(client);
      assert(result.kind === "value" && result.revision === expected.revision, JSON.stringify(result));
      assert(performance.now() - startedMs < 1000);
      const next = await swap(client, result.revision, "past the silent one");
      assert.equal(next.kind, "accepted", "a swap goes to the endpoint that answered last");
    } finally {
      etcd.signal(follower, "SIGCONT");
    }
    client.close();
    coordinator.close();
  });

  test("a leader stopped for 3 s: no call is late, nothing accepted is lost, nothing refused appears", async () => {
    const leader = await etcd.findLeader();
    const coordinator = openEtcd(etcd.ports, { deadlineMs: 700 });
    const first = await mustRead(coordinator);
    etcd.signal(leader, "SIGSTOP");
    const resume = setTimeout(() => etcd.signal(leader, "SIGCONT"), 3000);
    let { value: expected, revision } = first;
    let maybe: string[] = [];
    const counts = { accepted: 0, open: 0 };
    try {
      for (let i = 0, endMs = performance.now() + 5000; performance.now() < endMs; i++) {
        const startedMs = performance.now();
        const result = await swap(coordinator, revision, `swap ${i}`);
        assert(performance.now() - startedMs < 1200, "every call is answered by its deadline");
        if (result.kind === "accepted") {
          ({ revision } = result);
          [expected, maybe] = [`swap ${i}`, []];
          counts.accepted++;
        } else if (result.kind === "unknown") {
          maybe.push(`swap ${i}`);
          counts.open++;
        } else {
          const now = await mustRead(coordinator);
          assert([expected, ...maybe].includes(now.value), `${now.value} after ${expected} or ${maybe.join()}`);
          [expected, revision, maybe] = [now.value, now.revision, []];
        }
        await sleep(20);
      }
    } finally {
      clearTimeout(resume);
      etcd.signal(leader, "SIGCONT");
    }
    const last = await mustRead(coordinator);
    assert([expected, ...maybe].includes(last.value), `${last.value} after ${expected} or ${maybe.join()}`);
    assert(counts.accepted > 10 && counts.open > 0, JSON.stringify(counts));
    coordinator.close();
  });

  test("without a majority reads fail and swaps are not said to have happened", async () => {
    const coordinator = openEtcd(etcd.ports, { deadlineMs: 600 });
    const { revision } = await mustRead(coordinator);
    await etcd.kill(0);
    await etcd.kill(1);
    assert.equal((await read(coordinator)).kind, "failed");
    assert.equal((await swap(coordinator, revision, "by a minority")).kind, "unknown");
    await etcd.startAll();
    await mustRead(coordinator);
    coordinator.close();
  });
});

describe("etcd with users", { skip }, () => {
  let etcd: EtcdCluster;
  const user = { name: "root", password: "correct horse" };
  const loginOf = async (): Promise<string | undefined> => {
    const { token } = await etcd.administer("/v3/auth/authenticate", user);
    return token;
  };

  before(async () => {
    etcd = await EtcdCluster.start(1);
  });
  after(async () => etcd.dispose());

  test("a user is of no harm where etcd asks for none", async () => {
    const coordinator = openEtcd(etcd.ports, { user });
    assert.deepEqual(await read(coordinator), { kind: "absent" });
    coordinator.close();
  });

  test("the right password reads, swaps and watches; a wrong one, or none, is refused with a sentence", async () => {
    await etcd.administer("/v3/auth/user/add", user);
    await etcd.administer("/v3/auth/role/add", { name: "root" });
    await etcd.administer("/v3/auth/user/grant", { user: "root", role: "root" });
    await etcd.administer("/v3/auth/enable", {});
    const coordinator = openEtcd(etcd.ports, { user });
    const hinted = Promise.withResolvers<void>();
    coordinator.watch(KEY, () => hinted.resolve());
    assert.equal((await swap(coordinator, "0", "by root")).kind, "accepted");
    assert.equal((await mustRead(coordinator)).value, "by root");
    await hinted.promise;
    coordinator.close();

    const wrong = openEtcd(etcd.ports, { user: { ...user, password: "wrong" } });
    const refused = await read(wrong);
    assert(refused.kind === "failed");
    assert.match(
      refused.reason,
      /^etcd did not let the user root in: etcd answered 400: .*invalid user ID or password$/,
    );
    assert(!refused.reason.includes("wrong"));
    assert.equal((await swap(wrong, "0", "x")).kind, "failed", "nothing was sent, so it is certain");
    wrong.close();
    const nobody = openEtcd(etcd.ports);
    const unnamed = await swap(nobody, "0", "x");
    assert(unnamed.kind === "failed" && unnamed.reason.includes("user name is empty"), JSON.stringify(unnamed));
    nobody.close();
  });

  test("a user who may only use the cluster's prefix can do all that is needed there, and nothing elsewhere", async () => {
    const token = (await loginOf()) ?? "";
    const limited = { name: "kv", password: "limited" };
    const [from, to] = ["/kv/test/", "/kv/test0"].map((text) => Buffer.from(text).toString("base64"));
    await etcd.administer("/v3/auth/user/add", limited, token);
    await etcd.administer("/v3/auth/role/add", { name: "cluster" }, token);
    const perm = { permType: "READWRITE", key: from, range_end: to };
    await etcd.administer("/v3/auth/role/grant", { name: "cluster", perm }, token);
    await etcd.administer("/v3/auth/user/grant", { user: "kv", role: "cluster" }, token);
    const coordinator = openEtcd(etcd.ports, { user: limited });
    const { revision } = await mustRead(coordinator);
    assert.equal((await swap(coordinator, revision, "by kv")).kind, "accepted");
    const listed = await new Promise<ListResult>((resolve) => {
      coordinator.list("/kv/test/shards/", resolve);
    });
    assert(listed.kind === "documents" && listed.documents.length === 1, JSON.stringify(listed));
    const elsewhere = await new Promise<SwapResult>((resolve) => {
      coordinator.compareAndSwap("/kv/other/meta", { expectedRevision: "0", value: "x" }, resolve);
    });
    assert(elsewhere.kind === "failed" && elsewhere.reason.includes("permission denied"), JSON.stringify(elsewhere));
    assert.equal((await read(coordinator, "/kv/other/meta")).kind, "failed");
    coordinator.close();
  });

  test("a token that has ended is renewed: reads do not notice, a swap fails at most once", async () => {
    const coordinator = openEtcd(etcd.ports, { user });
    const stored = await mustRead(coordinator);
    const endTokens = async (): Promise<void> => {
      await etcd.administer("/v3/auth/disable", {}, await loginOf());
      await etcd.administer("/v3/auth/enable", {});
    };
    await endTokens();
    assert.deepEqual(await read(coordinator), { kind: "value", ...stored });
    await endTokens();
    const refused = await swap(coordinator, stored.revision, "after");
    assert.equal(refused.kind, "failed", JSON.stringify(refused));
    assert.equal((await swap(coordinator, stored.revision, "after")).kind, "accepted");
    coordinator.close();
  });
});

describe("etcd over TLS", { skip: skipTls }, () => {
  const folder = mkdtempSync(join(tmpdir(), "kv-tls-"));
  let etcd: EtcdCluster;
  let authority: TestAuthority;
  let client: TlsCredentials;
  let settings: CoordinatorSettings;

  before(async () => {
    authority = new TestAuthority(folder, "right");
    const server = authority.sign("server", "/CN=server", "127.0.0.1");
    const { certificate, key } = authority.sign("client", "/O=kv");
    etcd = await EtcdCluster.start(1, { ...server, clientAuthority: authority.certificate });
    client = credentials(authority, { certificate, key });
    settings = {
      endpoints: etcd.ports.map((port) => ({ host: "127.0.0.1", port, isSecure: true })),
      leaseMs: 1500,
      graceMs: 2000,
      tlsFiles: { authority: authority.certificate, certificate, key },
      user: null,
    };
    chmodSync(key, 0o600);
  });
  after(async () => {
    await etcd.dispose();
    rmSync(folder, { recursive: true, force: true });
  });

  function credentials(from: TestAuthority, files?: { certificate: string; key: string }): TlsCredentials {
    return {
      authority: readFileSync(from.certificate, "utf8"),
      certificate: files === undefined ? undefined : readFileSync(files.certificate, "utf8"),
      key: files === undefined ? undefined : readFileSync(files.key, "utf8"),
    };
  }

  test("the right certificates serve, also through the files of the configuration", async () => {
    const parts = { clock: new SystemClock(), random: new SystemRandom() };
    const coordinator = openCoordinator("etcd", settings, { ...parts, deadlineMs: 5000 });
    const result = await swap(coordinator, "0", "over TLS");
    assert.equal(result.kind, "accepted", JSON.stringify(result));
    assert.equal((await mustRead(coordinator)).value, "over TLS");
    coordinator.close();
  });

  test("a server whose authority is another is refused with a sentence, before anything is sent", async () => {
    const other = new TestAuthority(folder, "wrong");
    const coordinator = openEtcd(etcd.ports, { tls: { ...client, authority: credentials(other).authority } });
    for (const result of [await read(coordinator), await swap(coordinator, "0", "x")]) {
      assert(result.kind === "failed", JSON.stringify(result));
      assert.match(result.reason, /^The certificate of 127\.0\.0\.1:\d+ is not trusted: \w/);
    }
    coordinator.close();
  });

  test("a client without a certificate, and one without TLS, is refused", async () => {
    const bare = openEtcd(etcd.ports, { tls: { ...client, certificate: undefined, key: undefined } });
    assert.equal((await read(bare)).kind, "failed");
    assert.notEqual((await swap(bare, "0", "x")).kind, "accepted");
    bare.close();
    const plain = openEtcd(etcd.ports);
    assert.equal((await read(plain)).kind, "failed");
    assert.notEqual((await swap(plain, "0", "x")).kind, "accepted");
    plain.close();
  });

  test("files that are missing, malformed or readable by others are named", () => {
    const parts = { clock: new SystemClock(), random: new SystemRandom() };
    const refusalOf = (changed: Partial<CoordinatorSettings>): string => {
      try {
        openCoordinator("etcd", { ...settings, ...changed }, parts).close();
      } catch (error) {
        assert(error instanceof KvError && error.code === "CONFIG_INVALID", String(error));
        return error.message;
      }
      assert.fail("the files were accepted");
    };
    const { tlsFiles } = settings;
    const key = tlsFiles.key ?? "";
    assert.match(
      refusalOf({ tlsFiles: { ...tlsFiles, authority: join(folder, "none") } }),
      /^coordinator\.ca_file: .*ENOENT/,
    );
    const garbage = join(folder, "garbage");
    writeFileSync(garbage, "-----BEGIN NOTHING-----", { mode: 0o600 });
    assert.match(refusalOf({ tlsFiles: { ...tlsFiles, certificate: garbage } }), /^The TLS files .*garbage/);
    chmodSync(key, 0o644);
    assert.match(refusalOf({}), /^coordinator\.key_file: .* has mode 0644: others could read it/);
    chmodSync(key, 0o600);
    const passwordFile = join(folder, "password");
    writeFileSync(passwordFile, "\n", { mode: 0o600 });
    assert.match(
      refusalOf({ user: { name: "kv", passwordFile } }),
      /password_file: .* must hold 1 to 1024 characters$/,
    );
  });
});

test("what listens nowhere is failed at once", async () => {
  const nobody = openEtcd([await findFreePorts([0])]);
  for (const result of [await read(nobody), await swap(nobody, "0", "x")]) {
    assert(result.kind === "failed", JSON.stringify(result));
    assert.match(result.reason, /refused the connection: nothing listens there$/);
  }
  nobody.close();
});

test("answers that etcd does not give are never taken for success, nor for absence", async (context) => {
  const answers = [
    "",
    "hello",
    "{}",
    "[]",
    "null",
    '{"kvs":[]}',
    '{"succeeded":true}',
    '{"header":{"revision":"x"},"succeeded":true}',
  ];
  let body = "";
  let status = 200;
  const server = createServer((_request, response) => response.writeHead(status).end(body)).listen(0, "127.0.0.1");
  await once(server, "listening");
  const address = server.address();
  assert(typeof address === "object" && address !== null);
  const coordinator = openEtcd([address.port]);
  context.after(() => {
    coordinator.close();
    server.close();
    server.closeAllConnections();
  });
  for (body of answers) {
    assert.equal((await read(coordinator)).kind, "failed", body);
    assert.equal((await swap(coordinator, "0", "x")).kind, "unknown", body);
  }
  body = '{"header":{"revision":"5"},"kvs":[{"key":"L2E=","value":"/w==","mod_revision":"5"}]}';
  assert.deepEqual(await read(coordinator), { kind: "failed", reason: "The document in etcd is not UTF-8" });
  const expected = { 307: "unknown", 400: "failed", 404: "failed", 408: "unknown", 500: "unknown", 503: "unknown" };
  for (const [code, kind] of Object.entries(expected)) {
    [status, body] = [Number(code), "no"];
    assert.equal((await swap(coordinator, "0", "x")).kind, kind, code);
  }
  for (const [code, kind] of [
    [14, "unknown"],
    [7, "failed"],
    [8, "failed"],
    [4, "unknown"],
  ] as const) {
    [status, body] = [503, JSON.stringify({ code, message: "etcdserver: something" })];
    const result = await swap(coordinator, "0", "x");
    assert.deepEqual(result, { kind, reason: "etcd answered 503: etcdserver: something" });
  }
});

/** A server that counts its requests, and answers them as `serve` does. */
async function startCounting(serve: RequestListener): Promise<{ port: number; count: () => number; stop: () => void }> {
  let count = 0;
  const server = createServer((request, response) => {
    count++;
    serve(request, response);
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const address = server.address();
  assert(typeof address === "object" && address !== null);
  const stop = (): void => {
    server.close();
    server.closeAllConnections();
  };
  return { port: address.port, count: () => count, stop };
}

test("a swap that was sent is never sent again, whatever became of it; a read goes on (rule C2)", async () => {
  const faults: readonly (readonly [string, RequestListener])[] = [
    ["silence", () => {}],
    ["a reset", (request) => request.socket.resetAndDestroy()],
    ["an answer that breaks off", (request, response) => response.write("{", () => request.socket.destroy())],
    ["503", (_request, response) => response.writeHead(503).end('{"code":14,"message":"etcdserver: leader changed"}')],
  ];
  for (const [what, serve] of faults) {
    const first = await startCounting(serve);
    const second = await startCounting((_request, response) =>
      response.end('{"header":{"revision":"7"},"succeeded":true}'),
    );
    const open = (): Coordinator => openEtcd([first.port, second.port], { deadlineMs: 400 });
    const swapping = open();
    assert.equal((await swap(swapping, "0", "x")).kind, "unknown", what);
    await sleep(100);
    assert.deepEqual([first.count(), second.count()], [1, 0], what);
    swapping.close();
    const reading = open();
    const { kind } = await read(reading);
    assert.deepEqual([kind, second.count()], ["absent", 1], what);
    reading.close();
    first.stop();
    second.stop();
  }
});

test("a swap whose connection was refused goes to the next endpoint, once", async () => {
  const nobody = await findFreePorts([0]);
  const second = await startCounting((_request, response) =>
    response.end('{"header":{"revision":"7"},"succeeded":true}'),
  );
  const coordinator = openEtcd([nobody, second.port]);
  assert.deepEqual(await swap(coordinator, "0", "x"), { kind: "accepted", revision: "7" });
  assert.equal(second.count(), 1);
  coordinator.close();
  second.stop();
});
