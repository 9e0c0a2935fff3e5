import assert from "node:assert/strict";
import { fork, type ChildProcess } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { SystemRandom } from "../base/random.ts";
import { STOP_MESSAGE } from "./process-ending.ts";

const root = mkdtempSync(join(tmpdir(), "kv-run-"));
const random = new SystemRandom();
const running = new Set<ChildProcess>();
after(() => {
  for (const child of running) child.kill("SIGKILL");
  rmSync(root, { recursive: true, force: true });
});

/** `kv serve` as a process of its own: the only node of its cluster. */
class ServeProcess {
  readonly child: ChildProcess;
  readonly address: string;
  readonly exit: Promise<{ code: number | null; signal: NodeJS.Signals | null }>;
  readonly folder: string;
  output = "";

  constructor(options: { environment?: Record<string, string>; folder?: string } = {}) {
    const folder = options.folder ?? mkdtempSync(join(root, "node-"));
    this.folder = folder;
    const byte = (): number => 1 + Math.floor(random.next() * 250);
    const config = join(folder, "sharding.toml");
    if (options.folder === undefined) {
      const address = `127.${byte()}.${byte()}.${byte()}:22080`;
      writeFileSync(config, `[[shards]]\nname = "Solo"\nidx = 0\naddress = "${address}"\n`);
    }
    this.address = /address = "(.*)"/.exec(readFileSync(config, "utf8"))?.[1] ?? "";
    const program = join(import.meta.dirname, "../cli/kv.ts");
    const words = ["serve", "--shard", "Solo", "--db-location", join(folder, "data"), "--config-file", config];
    this.child = fork(program, words, {
      stdio: ["ignore", "pipe", "pipe", "ipc"],
      env: { ...process.env, ...options.environment },
    });
    running.add(this.child);
    for (const stream of [this.child.stdout, this.child.stderr]) {
      stream?.on("data", (data) => (this.output += String(data)));
    }
    this.exit = new Promise((resolve) => {
      // "close" would come after the last line, but not at all once the channel was closed by this side.
      this.child.once("exit", (code, signal) => {
        running.delete(this.child);
        setTimeout(() => resolve({ code, signal }), 100);
      });
    });
  }

  async ready(): Promise<void> {
    for (let i = 0; i < 400; i++) {
      try {
        if ((await fetch(`http://${this.address}/readyz`)).status === 200) return;
      } catch {
        // Not listening yet.
      }
      await sleep(25);
    }
    throw new Error(`The node does not become ready:\n${this.output}`);
  }
}

test("SIGTERM answers what is under way and ends with exit code 0; SIGHUP and SIGPIPE end nothing", async () => {
  const node = new ServeProcess();
  await node.ready();
  node.child.kill("SIGHUP");
  node.child.kill("SIGPIPE");
  node.child.kill("SIGINT");
  const written = await fetch(`http://${node.address}/set?key=k&value=v`);
  assert.equal(written.status, 200);
  const answers = Array.from({ length: 20 }, async () => (await fetch(`http://${node.address}/get?key=k`)).status);
  await sleep(5);
  node.child.kill("SIGTERM");
  const results = await Promise.allSettled(answers);
  const statuses = results.flatMap((result) => (result.status === "fulfilled" ? [result.value] : []));
  assert.ok(
    statuses.every((status) => status === 200 || status === 503),
    statuses.join(),
  );
  assert.deepEqual(await node.exit, { code: 0, signal: null });
  assert.match(node.output, /SIGHUP: there is nothing to load again/);
});

test("a second SIGTERM ends the process at once", async () => {
  const node = new ServeProcess();
  await node.ready();
  // A connection that is busy keeps the first one waiting.
  const { promise, resolve } = Promise.withResolvers<void>();
  const body = new ReadableStream({
    start: (controller) => {
      controller.enqueue(new TextEncoder().encode("begin"));
      resolve();
    },
  });
  const slow = fetch(`http://${node.address}/v1/kv/slow`, { method: "PUT", body, duplex: "half" }).catch(() => null);
  await promise;
  await sleep(100);
  node.child.kill("SIGTERM");
  await sleep(200);
  assert.equal(node.child.exitCode, null, "the first one waits for the request under way");
  node.child.kill("SIGTERM");
  assert.deepEqual(await node.exit, { code: 143, signal: null });
  await slow;
});

test("a node stops when its parent says so, and when its parent is gone", async () => {
  const told = new ServeProcess();
  const orphaned = new ServeProcess();
  await Promise.all([told.ready(), orphaned.ready()]);
  told.child.send(STOP_MESSAGE);
  orphaned.child.disconnect();
  assert.deepEqual(await told.exit, { code: 0, signal: null });
  assert.deepEqual(await orphaned.exit, { code: 0, signal: null });
});

test("a start that fails says why in one line and exits with 1", async () => {
  const node = new ServeProcess({ environment: { KV_TOKEN_FILE: join(root, "no-such-file") } });
  assert.deepEqual(await node.exit, { code: 1, signal: null });
  assert.match(node.output, /^kv: KV_TOKEN_FILE .*no-such-file: ENOENT[^\n]*\n$/);
});

test("a log that is gone ends the process: the store never starts as an empty one", async () => {
  const node = new ServeProcess();
  await node.ready();
  node.child.kill("SIGTERM");
  await node.exit;
  rmSync(join(node.folder, "data", "log"), { recursive: true });
  const again = new ServeProcess({ folder: node.folder });
  assert.deepEqual(await again.exit, { code: 1, signal: null });
  assert.match(again.output, /"code":"DATA_CORRUPT","reason":"The log in [^"]* is missing, but this store had one"/);
});
