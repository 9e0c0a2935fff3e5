import assert from "node:assert/strict";
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { silentLogger } from "../base/logger.ts";
import { SystemRandom } from "../base/random.ts";
import { KvError } from "../model/errors.ts";
import { parseConfig } from "./config.ts";
import { findOwnNode } from "./own-node.ts";
import { startServer, type RunningServer, type ServerOptions } from "./start-server.ts";

const root = mkdtempSync(join(tmpdir(), "kv-server-"));
after(() => rmSync(root, { recursive: true }));
const random = new SystemRandom();
const byte = (): number => 1 + Math.floor(random.next() * 250);

/** A shard of two nodes on loopback addresses of their own. */
class Pair {
  readonly addresses: readonly [string, string];
  readonly #config;
  readonly #folder = mkdtempSync(join(root, "pair-"));

  constructor() {
    const [a, b, c] = [byte(), byte(), byte()];
    this.addresses = [`127.${a}.${b}.${c}:21080`, `127.${a}.${b}.${(c % 250) + 1}:21080`];
    const [leader, replica] = this.addresses;
    const text = `[cluster]\nname = "pair"\n[[shards]]\nname = "Solo"\nidx = 0\naddress = "${leader}"\nreplicas = ["${replica}"]\n`;
    this.#config = parseConfig(text, "pair.toml");
  }

  directoryOf(isReplica: boolean): string {
    return join(this.#folder, isReplica ? "replica" : "leader");
  }

  start(isReplica: boolean, change: Partial<ServerOptions> = {}): Promise<RunningServer> {
    const config = this.#config;
    return startServer({
      config,
      own: findOwnNode(config, { shard: "Solo", isReplica, httpAddress: undefined }),
      directory: this.directoryOf(isReplica),
      peerSecret: Buffer.alloc(0),
      isInsecure: false,
      startupWaitMs: 300,
      logger: silentLogger,
      onFatal: (error) => {
        throw error;
      },
      ...change,
    });
  }

  async ask(isReplica: boolean, path: string): Promise<{ status: number; text: string; node: string | null }> {
    const answer = await fetch(`http://${this.addresses[isReplica ? 1 : 0]}${path}`);
    return { status: answer.status, text: await answer.text(), node: answer.headers.get("kv-node") };
  }

  async ready(isReplica: boolean): Promise<void> {
    for (let i = 0; i < 200; i++) {
      if ((await this.ask(isReplica, "/readyz")).status === 200) return;
      await sleep(25);
    }
    throw new Error("The node does not become ready");
  }
}

test("two nodes replicate, answer for each other, and find everything again after a restart", async () => {
  const pair = new Pair();
  const leader = await pair.start(false);
  const replica = await pair.start(true);
  await pair.ready(false);
  await pair.ready(true);
  const written = await pair.ask(true, "/set?key=k&value=v1&durability=in-sync");
  assert.equal(written.status, 200, written.text);
  assert.deepEqual(await pair.ask(true, "/get?key=k"), { status: 200, text: "v1", node: pair.addresses[0] });
  const metrics = await pair.ask(true, "/metrics");
  assert.match(metrics.text, /kv_forwarded_operations_total\{[^}]*\} [1-9]/);
  assert.match(metrics.text, /kv_event_loop_delay_seconds/);
  await replica.close({ handsOver: false });
  await leader.close({ handsOver: false });
  const again = await pair.start(false);
  await pair.ready(false);
  assert.equal((await pair.ask(false, "/get?key=k")).text, "v1");
  await again.close({ handsOver: false });
  await assert.rejects(pair.ask(false, "/healthz"));
});

test("closing twice waits for the same end, and the directory can be used at once", async () => {
  const pair = new Pair();
  const first = await pair.start(false);
  await Promise.all([first.close({ handsOver: false }), first.close({ handsOver: false })]);
  const second = await pair.start(false);
  await second.close({ handsOver: false });
});

test("requests under way are answered when the node stops", async () => {
  const pair = new Pair();
  const server = await pair.start(false);
  await pair.ready(false);
  const answers = Array.from({ length: 50 }, (_, index) => pair.ask(false, `/set?key=k${index}&value=v`));
  const settled = Promise.allSettled(answers);
  await Promise.race(answers);
  await server.close({ handsOver: false });
  const results = await settled;
  const acknowledged = results.flatMap((result, index) =>
    result.status === "fulfilled" && result.value.status === 200 ? [index] : [],
  );
  assert.ok(acknowledged.length > 0);
  const again = await pair.start(false);
  await pair.ready(false);
  for (const index of acknowledged) assert.equal((await pair.ask(false, `/get?key=k${index}`)).status, 200);
  await again.close({ handsOver: false });
});

test("a directory, an address or an exposure that is not right is refused by name, and nothing stays open", async () => {
  const pair = new Pair();
  const codeOf = async (starting: Promise<RunningServer>): Promise<string> => {
    const error: unknown = await starting.then(
      (server) => server.close({ handsOver: false }),
      (reason: unknown) => reason,
    );
    return error instanceof KvError ? error.code : String(error);
  };
  const running = await pair.start(false);
  assert.equal(await codeOf(pair.start(false)), "DIRECTORY_IN_USE");
  assert.equal(await codeOf(pair.start(false, { directory: join(root, "elsewhere") })), "ADDRESS_IN_USE");
  await running.close({ handsOver: false });
  assert.equal(await codeOf(pair.start(true, { directory: pair.directoryOf(false) })), "WRONG_DIRECTORY");
  const file = join(root, "file");
  writeFileSync(file, "");
  assert.equal(await codeOf(pair.start(false, { directory: file })), "WRONG_DIRECTORY");
  const nodeFile = join(pair.directoryOf(false), "node.json");
  writeFileSync(nodeFile, readFileSync(nodeFile, "utf8").replace('"shard"', '"shart"'));
  assert.equal(await codeOf(pair.start(false)), "DATA_CORRUPT");
  rmSync(nodeFile);
  assert.equal(await codeOf(pair.start(false)), "WRONG_DIRECTORY", "data without an owner are never started as empty");
});

test("files of the coordinator that are not right are refused before any data are touched, and no message holds a secret", async () => {
  const folder = mkdtempSync(join(root, "etcd-"));
  const password = join(folder, "password");
  writeFileSync(password, "open sesame\n", { mode: 0o644 });
  writeFileSync(join(folder, "ca.pem"), "no certificate");
  const shards = `[[shards]]\nname = "Solo"\nidx = 0\naddress = "127.0.0.1:21080"\n`;
  const refusalOf = async (lines: string): Promise<string> => {
    const text = `[cluster]\ncoordinator = "etcd"\n[coordinator]\n${lines}\n${shards}`;
    const config = parseConfig(text, join(folder, "sharding.toml"));
    const directory = join(folder, "data");
    const own = findOwnNode(config, { shard: "Solo", isReplica: false, httpAddress: undefined });
    const parts = { peerSecret: Buffer.alloc(0), isInsecure: false, startupWaitMs: 0, logger: silentLogger };
    const starting = startServer({ config, own, directory, ...parts, onFatal: () => {} });
    const error: unknown = await starting.then(
      () => "it starts",
      (reason: unknown) => reason,
    );
    assert(error instanceof KvError && error.code === "CONFIG_INVALID", String(error));
    assert.doesNotMatch(error.message, /sesame/);
    assert(!existsSync(join(directory, "node.json")));
    return error.message;
  };
  assert.match(await refusalOf('user = "kv"\npassword_file = "password"'), /password_file: .* has mode 0644/);
  assert.match(await refusalOf('user = "kv"\npassword_file = "nowhere"'), /password_file: .*no such file/);
  assert.match(
    await refusalOf('endpoints = ["https://127.0.0.1:1"]\nca_file = "ca.pem"'),
    /The TLS files of \[coordinator\] cannot be used: .*ca\.pem/,
  );
});
