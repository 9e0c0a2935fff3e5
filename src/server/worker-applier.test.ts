import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { afterEach, beforeEach, describe, test } from "node:test";
import { EntryBatch } from "../log/entry-batch.ts";
import { silentLogger } from "../base/logger.ts";
import { NodeDisk } from "../base/node-disk.ts";
import { SystemRandom } from "../base/random.ts";
import { SystemClock } from "../base/system-clock.ts";
import { SegmentedLog } from "../log/segmented-log.ts";
import { encodeEntry, SPACE, type EntryBody, type Mutation } from "../model/entry.ts";
import { NO_EPOCH, type Sequence } from "../model/position.ts";
import type { ApplierListener } from "../shard/applier.ts";
import { LmdbTree } from "../tree/lmdb-tree.ts";
import type { TreePosition } from "../tree/tree.ts";
import { WorkerApplier } from "./worker-applier.ts";

describe("the applier in a thread of its own", () => {
  let node: Node;

  beforeEach(() => {
    node = new Node();
  });
  afterEach(() => node.remove());

  test("reads the log's files itself, and the reader sees the rows when it answers", async () => {
    await node.append(1000, (i) => data(set(`k${i % 100}`, `v${i}`)));
    const seen: Array<string | null> = [];
    const applier = node.start({ onApplied: (sequence) => seen.push(`${sequence} ${node.value("k7")}`) });
    assert.equal(node.value("k7"), null);
    applier.applyThrough(500);
    await until(() => seen.length > 0);
    applier.applyThrough(1001);
    await until(() => seen.length > 1);
    assert.deepEqual(seen, ["500 v407", "1001 v907"]);
    assert.deepEqual(node.tree.position(), { appliedSequence: 1001, applyingThrough: 1001 });
  });

  test("follows a log that grows while it reads, through many runs", async () => {
    let applied = 0;
    const applier = node.start({ onApplied: (sequence) => (applied = sequence) });
    for (let round = 1; round <= 20; round++) {
      const last = await node.append(50, (i) => data(set(`k${round}-${i}`, "x".repeat(2000))));
      applier.applyThrough(last);
      if (round % 3 === 0) await until(() => applied === last);
    }
    await until(() => applied === node.log.lastSequence);
    assert.equal(node.tree.stats().userKeyCount, 1000);
  });

  test("takes in a snapshot from another node, then the log behind it", async () => {
    const source = new Node();
    try {
      await source.append(30, (i) => data(set(`k${i}`, "copied")));
      await apply(source, 31);
      const chunk = source.tree.copyRange(SPACE.user, "", 10_000_000);
      await node.append(35, (i) => data(set(`own${i}`, "own")));
      await apply(node, 20);
      const applier = node.start();
      await finished((done) => applier.wipe(done));
      assert.equal(node.tree.stats().userKeyCount, 0);
      const imported = { chunk, afterKey: "", meta: new Map([["c", "1"]]) };
      await finished((done) => applier.importChunk(imported, done));
      assert.equal(node.value("k8"), "copied");
      assert.equal(node.tree.meta("c"), "1");
      await finished((done) => applier.setBase({ sequence: 31, versionBase: 500, logClockMs: 77 }, done));
      await node.close(applier);
      await apply(node, 36);
      assert.equal(node.tree.stats().userKeyCount, 35);
      assert.equal(node.tree.get(SPACE.user, "own32")?.version, 500 + 34);
    } finally {
      await source.remove();
    }
  });

  test("a log that lacks what it is told to apply is fatal, and names the entry", async () => {
    await node.append(3, (i) => data(set(`k${i}`, "v")));
    const fatal: Error[] = [];
    const applier = node.start({ onFatal: (error) => fatal.push(error) });
    applier.applyThrough(50);
    await until(() => fatal.length > 0);
    assert.match(fatal[0]?.message ?? "", /does not have entry 5/);
    assert.equal(node.tree.position().appliedSequence, 0);
  });

  test("a tree that cannot be opened is fatal", async () => {
    const fatal: Error[] = [];
    node.start({ onFatal: (error) => fatal.push(error) }, join(node.directory, "tree", "tree"));
    await until(() => fatal.length > 0);
  });

  test("closes while it works, at the end of a transaction, and goes on later", async () => {
    await node.append(60, (i) => data(...Array.from({ length: 200 }, (_, j) => set(`k${i}-${j}`, "v".repeat(500)))));
    const applier = node.start();
    applier.applyThrough(61);
    await sleep(30);
    await node.close(applier);
    await apply(node, 61);
    assert.equal(node.tree.stats().userKeyCount, 12_000);
  });

  test("loses and adds nothing when its process is killed at any moment, again and again", async () => {
    const expected = new Map<string, string>();
    const last = await node.append(900, (i) => {
      const mutations: Mutation[] = Array.from({ length: 60 }, (_, j) =>
        set(`k${(i * 7 + j * 13) % 900}`, `${i}.${j}`),
      );
      for (const { key, value } of mutations) expected.set(key, String(value));
      return data(...mutations);
    });
    node.release();
    let killed = 0;
    let killedWithinRun = 0;
    for (let attempt = 0; attempt < 40 && killedWithinRun < 5; attempt++) {
      const script = ["--input-type=module", "-e", APPLY_SLOWLY, node.directory, String(last)];
      const child = spawn(process.execPath, script, { stdio: ["ignore", "pipe", "inherit"] });
      const exited = once(child, "exit");
      await once(child.stdout, "data");
      await sleep(1 + Math.random() * 25);
      child.kill("SIGKILL");
      await exited;
      if (child.exitCode === 0) break;
      killed++;
      const { appliedSequence, applyingThrough } = node.look();
      if (applyingThrough > appliedSequence) killedWithinRun++;
    }
    assert.ok(
      killedWithinRun >= 3,
      `killed ${killed} times, ${killedWithinRun} times between two transactions of a run`,
    );
    node.reopen();
    await apply(node, last);
    const rows = new Map<string, string>();
    node.tree.range({ space: SPACE.user, start: "", end: "", reverse: false }, ({ key, record }) => {
      rows.set(key, record.value.toString());
      return true;
    });
    assert.deepEqual(rows, expected);
    assert.deepEqual(node.tree.expiryFaults(10), []);
  });
});

/** A program that applies a log to a tree in small transactions until it is killed: DIRECTORY THROUGH. */
const APPLY_SLOWLY = `
  import { NodeDisk } from "${sourceUrl("base/node-disk.ts")}";
  import { LogReader } from "${sourceUrl("log/log-reader.ts")}";
  import { LogApplier } from "${sourceUrl("shard/log-applier.ts")}";
  import { LmdbTree } from "${sourceUrl("tree/lmdb-tree.ts")}";
  const [directory, through] = process.argv.slice(1);
  const applier = new LogApplier(new LogReader(new NodeDisk(), directory + "/log"), new LmdbTree({ path: directory + "/tree" }), {
    runBytesMax: 500_000,
    transactionRowsMax: 40,
    transactionBytesMax: 100_000,
  });
  let step = applier.step(Number(through));
  // Reading the first part of the log takes longer than a transaction: whoever kills waits for it.
  console.log("applying");
  while (step.didWrite) step = applier.step(Number(through));
  applier.close();
`;

function sourceUrl(path: string): string {
  return new URL(`../${path}`, import.meta.url).href;
}

/** A data directory with a real log and a real tree in it. */
class Node {
  readonly directory: string = mkdtempSync(join(tmpdir(), "kv-applier-"));
  #applier: WorkerApplier | null = null;
  #log: SegmentedLog = this.#openLog();
  #tree: LmdbTree = new LmdbTree({ path: join(this.directory, "tree") });
  #isOpen = true;

  get log(): SegmentedLog {
    return this.#log;
  }

  get tree(): LmdbTree {
    return this.#tree;
  }

  value(key: string): string | null {
    return this.tree.get(SPACE.user, key)?.value.toString() ?? null;
  }

  start(listener: Partial<ApplierListener> = {}, treePath: string = join(this.directory, "tree")): WorkerApplier {
    const onFatal = (error: Error): void => assert.fail(error);
    this.#applier = new WorkerApplier({
      logDirectory: join(this.directory, "log"),
      treePath,
      reader: this.tree,
      listener: { onApplied: () => {}, onDiskFull: () => {}, onFatal, ...listener },
    });
    return this.#applier;
  }

  async close(applier: WorkerApplier): Promise<void> {
    if (this.#applier === applier) this.#applier = null;
    await finished((done) => applier.close(done));
  }

  /** Appends and flushes `count` entries, and the start of the epoch before the first ones; returns the last sequence. */
  async append(count: number, bodyOf: (i: number) => EntryBody): Promise<Sequence> {
    const bodies = Array.from({ length: count }, (_, i) => bodyOf(i));
    if (this.log.lastSequence === 0) bodies.unshift(epochStart());
    for (const body of bodies) {
      const entry = encodeEntry({ epoch: 1, sequence: this.log.lastSequence + 1, timestampMs: 5, body });
      await until(() => this.log.roomFor(entry.length + 100) === "yes");
      this.log.writeBatch(EntryBatch.of([entry]), {
        flushedSequence: this.log.durableSequence,
        commitSequence: this.log.durableSequence,
      });
    }
    await finished((done) => this.log.flush(() => done()));
    return this.log.lastSequence;
  }

  /** Closes the files, so that another process may have them. */
  release(): void {
    this.#log.close();
    this.#tree.close();
    this.#isOpen = false;
  }

  /** The position of a tree that nobody has open. */
  look(): TreePosition {
    const tree = new LmdbTree({ path: join(this.directory, "tree") });
    const position = tree.position();
    tree.close();
    return position;
  }

  reopen(): void {
    this.#log = this.#openLog();
    this.#tree = new LmdbTree({ path: join(this.directory, "tree") });
    this.#isOpen = true;
  }

  async remove(): Promise<void> {
    if (this.#applier !== null) await this.close(this.#applier);
    if (this.#isOpen) this.release();
    rmSync(this.directory, { recursive: true });
  }

  #openLog(): SegmentedLog {
    const fail = (error: unknown): never => assert.fail(String(error));
    const clock = new SystemClock();
    return SegmentedLog.open({
      disk: new NodeDisk(),
      directory: join(this.directory, "log"),
      timers: clock,
      random: new SystemRandom(),
      logger: silentLogger,
      sizes: { segmentBytesFirst: 65_536, segmentBytesMax: 262_144, tailBytesMax: 10_000 },
      whenMissing: "create",
      onCutEnd: fail,
      onFatal: fail,
    }).log;
  }
}

async function apply(node: Node, through: Sequence): Promise<void> {
  let applied = 0;
  const applier = node.start({ onApplied: (sequence) => (applied = sequence) });
  applier.applyThrough(through);
  await until(() => applied === through);
  await node.close(applier);
}

/** Waits for what reports its end through a callback. */
async function finished(begin: (done: () => void) => void): Promise<void> {
  await new Promise<void>((resolve) => {
    begin(resolve);
  });
}

async function until(condition: () => boolean): Promise<void> {
  for (let waited = 0; !condition(); waited++) {
    assert.ok(waited < 5000, "it takes too long");
    await sleep(2);
  }
}

function data(...mutations: Mutation[]): EntryBody {
  return { kind: "data", mutations };
}

function epochStart(): EntryBody {
  return {
    kind: "epochStart",
    start: { term: "0123456789abcdef", previous: NO_EPOCH, versionBase: 0, lineage: 0, inSync: [] },
  };
}

function set(key: string, value: string): Mutation {
  return { space: SPACE.user, key, value: Buffer.from(value), expiryMs: 0, contentType: "" };
}
