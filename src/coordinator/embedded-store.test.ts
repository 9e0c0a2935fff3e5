import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { SeededRandom } from "../base/random.ts";
import { fuzzRuns, mutations } from "../../tests/support/byte-mutations.ts";
import { ManualTimers } from "../../tests/support/manual-timers.ts";
import { SimCrashError, SimDisk } from "../../tests/support/sim-disk.ts";
import { KvError } from "../model/errors.ts";
import { EmbeddedStore, STORE_FILE_NAME, type StoreSwapResult } from "./embedded-store.ts";

const DIRECTORY = "/data/coordinator";
const PATH = `${DIRECTORY}/${STORE_FILE_NAME}`;

function openOn(disk: SimDisk): EmbeddedStore {
  return EmbeddedStore.open(disk, DIRECTORY);
}

function swap(store: EmbeddedStore, key: string, from: string, to: string): StoreSwapResult | undefined {
  return store.swap([{ key, expectedRevision: from, value: to }])[0];
}

/** The bytes of a store with two documents. */
function validFile(): Buffer {
  const disk = new SimDisk(new ManualTimers());
  const store = openOn(disk);
  swap(store, "/kv/a/meta", "0", '{"é":1}');
  swap(store, "/kv/a/slotmap", "0", "{}");
  return disk.content(PATH);
}

/** Opens a store over these bytes. */
function openWith(bytes: Uint8Array): EmbeddedStore {
  const disk = new SimDisk(new ManualTimers());
  disk.makeDirectory(DIRECTORY);
  disk.place(PATH, bytes);
  return openOn(disk);
}

describe("the store of the embedded coordinator", () => {
  test("decides swaps that arrive together in their order, and writes once for all of them", () => {
    const disk = new SimDisk(new ManualTimers());
    const store = openOn(disk);
    const before = disk.flushCount;
    swap(store, "/kv/x", "0", "alone");
    const flushesOfOne = disk.flushCount - before;
    const results = store.swap([
      { key: "/kv/a", expectedRevision: "0", value: "1" },
      { key: "/kv/a", expectedRevision: "0", value: "2" },
      { key: "/kv/a", expectedRevision: "2", value: "3" },
      { key: "/kv/b", expectedRevision: "0", value: "4" },
    ]);
    assert.deepEqual(results, [
      { kind: "accepted", revision: "2" },
      { kind: "refused" },
      { kind: "accepted", revision: "3" },
      { kind: "accepted", revision: "4" },
    ]);
    assert.equal(disk.flushCount, before + 2 * flushesOfOne);
    assert.deepEqual(store.get("/kv/a"), { key: "/kv/a", value: "3", revision: "3" });
    const flushCount = disk.flushCount;
    assert.deepEqual(store.swap([{ key: "/kv/a", expectedRevision: "2", value: "x" }]), [{ kind: "refused" }]);
    assert.equal(disk.flushCount, flushCount, "what changes nothing is not written");
  });

  test("a crash or a power cut at any step loses no swap that was decided, and invents none", () => {
    let cuts = 0;
    for (let steps = 1; steps < 20; steps++) {
      for (const end of ["crash", "powerCut"] as const) {
        const disk = new SimDisk(new ManualTimers(), new SeededRandom(steps));
        let decided = 0;
        let tried = 0;
        disk.crashAfterChanges(steps);
        try {
          const store = openOn(disk);
          while (tried < 5) {
            tried++;
            assert.equal(swap(store, "/kv/a", String(decided), `value ${tried}`)?.kind, "accepted");
            decided = tried;
          }
        } catch (error) {
          assert(error instanceof SimCrashError, String(error));
          cuts++;
        }
        disk[end]();
        const found = openOn(disk).get("/kv/a");
        const count = Number(found?.revision ?? "0");
        assert(count === decided || count === tried, `${count} after ${decided} decided and ${tried} tried`);
        if (found !== undefined) assert.equal(found.value, `value ${count}`);
      }
    }
    assert(cuts >= 10, `${cuts} cuts`);
  });

  test("a disk that fails is told, and the store shows what it had", () => {
    const disk = new SimDisk(new ManualTimers());
    const store = openOn(disk);
    swap(store, "/kv/a", "0", "kept");
    disk.faults.capacityBytes = 0;
    assert.throws(() => swap(store, "/kv/a", "1", "lost"), { code: "ENOSPC" });
    assert.deepEqual(store.get("/kv/a"), { key: "/kv/a", value: "kept", revision: "1" });
  });

  test("documents without end are refused, and those that are there can still be changed", () => {
    const store = openOn(new SimDisk(new ManualTimers()));
    const many = Array.from({ length: 10_000 }, (_, i) => ({ key: `/kv/${i}`, expectedRevision: "0", value: "" }));
    assert(store.swap(many).every(({ kind }) => kind === "accepted"));
    assert.equal(swap(store, "/kv/more", "0", "")?.kind, "full");
    assert.equal(swap(store, "/kv/7", "8", "changed")?.kind, "accepted");
    const large = Array.from({ length: 20 }, (_, i) => ({
      key: `/kv/${i}`,
      expectedRevision: store.get(`/kv/${i}`)?.revision ?? "",
      value: "x".repeat(1_048_576),
    }));
    const kinds = store.swap(large).map(({ kind }) => kind);
    assert.equal(kinds.filter((kind) => kind === "accepted").length, 15);
    assert.equal(kinds.at(-1), "full");
  });

  test("an empty, cut or changed file is refused with a sentence that says what to do", () => {
    const file = validFile();
    for (const bytes of [Buffer.alloc(0), file.subarray(0, 50), Buffer.from(file.toString().replace('"1"', '"2"'))]) {
      assert.throws(
        () => openWith(bytes),
        (error) =>
          error instanceof KvError && error.code === "DATA_CORRUPT" && /is damaged: .*rebuild$/.test(error.message),
      );
    }
    const newer = Buffer.from(file.toString().replace('"format":1', '"format":2'));
    assert.throws(
      () => openWith(newer),
      (error) => error instanceof KvError && error.code === "UNKNOWN_FORMAT" && /format 2/.test(error.message),
    );
  });

  test("whatever the bytes, the store opens with what was written, or is refused", () => {
    const file = validFile();
    const expected = openWith(file).list("/kv/");
    for (const bytes of mutations([file], fuzzRuns(5000))) {
      try {
        assert.deepEqual(openWith(bytes).list("/kv/"), expected);
      } catch (error) {
        assert(error instanceof KvError && ["DATA_CORRUPT", "UNKNOWN_FORMAT"].includes(error.code), String(error));
      }
    }
  });
});
