import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { ManualTimers } from "../../tests/support/manual-timers.ts";
import { SimDisk } from "../../tests/support/sim-disk.ts";
import { KvError } from "../model/errors.ts";
import type { ErrorCode } from "../model/errors.ts";
import { NodeFile } from "./node-file.ts";
import { freshNodeState, type NodeState } from "./node-state.ts";

const DIRECTORY = "/data/delhi";
const PATH = `${DIRECTORY}/node.json`;
const IDENTITY = { cluster: "india", shard: "Delhi", node: "127.0.0.5:8080" };
const STORE = { node: "127.0.0.5:8080", store: "11111111-2222-4333-a444-555555555555", generation: 2 };
const FRESH = freshNodeState(STORE);
const FULL: NodeState = {
  store: STORE,
  seenEpoch: { epoch: 1004, term: "00000000000000ab" },
  leadership: {
    epoch: 1004,
    term: "00000000000000ab",
    leader: STORE,
    lineage: 1,
    inSync: [STORE, { node: "127.0.0.55:8080", store: null, generation: 0 }],
    setVersion: 3,
  },
  bootstrap: { phase: "replaying", mustReach: 17, lineage: 2 },
  damage: "Flushed data of the log are damaged",
  tornEnd: true,
  conflict: "Two leaders with epoch 3",
};

function newDisk(): SimDisk {
  return new SimDisk(new ManualTimers());
}

function create(disk: SimDisk, state: NodeState = FRESH): NodeFile {
  return NodeFile.create(disk, DIRECTORY, { cluster: "india", shard: "Delhi", state });
}

function assertRefused(disk: SimDisk, code: ErrorCode, message: RegExp): void {
  assert.throws(
    () => NodeFile.open(disk, DIRECTORY, IDENTITY),
    (error) => error instanceof KvError && error.code === code && message.test(error.message),
  );
}

/** The file with one part of its text replaced, and nothing else. */
function edit(disk: SimDisk, from: string | RegExp, to: string): void {
  const text = disk.content(PATH).toString("utf8");
  const edited = text.replace(from, to);
  assert.notEqual(edited, text);
  disk.place(PATH, Buffer.from(edited));
}

describe("node.json", () => {
  test("a new directory has none", () => {
    assert.equal(NodeFile.open(newDisk(), DIRECTORY, IDENTITY), null);
  });

  test("one that a version before wrote knows of no torn end", () => {
    const disk = newDisk();
    const { tornEnd: _, ...older } = FRESH;
    create(disk, older as NodeState);
    assert.equal(NodeFile.open(disk, DIRECTORY, IDENTITY)?.state.tornEnd, false);
  });

  test("every change is there after a power cut, as it was given", () => {
    const disk = newDisk();
    const file = create(disk);
    disk.powerCut();
    assert.deepEqual(NodeFile.open(disk, DIRECTORY, IDENTITY)?.state, FRESH);
    file.replace(FULL);
    assert.deepEqual(file.state, FULL);
    disk.powerCut();
    const reopened = NodeFile.open(disk, DIRECTORY, IDENTITY);
    assert.deepEqual(reopened?.state, FULL);
    assert.equal(reopened?.hasLog, false);
    reopened?.noteLog();
    disk.powerCut();
    assert.equal(NodeFile.open(disk, DIRECTORY, IDENTITY)?.hasLog, true);
  });

  test("a power cut in the middle of a change leaves the old state or the new one", () => {
    const seen = new Set<string>();
    for (let changes = 0; changes < 3; changes++) {
      for (let seed = 0; seed < 10; seed++) {
        const disk = newDisk();
        const file = create(disk);
        disk.crashAfterChanges(changes);
        try {
          file.replace(FULL);
        } catch {
          assert.deepEqual(file.state, FRESH, "what was not stored is not acted upon");
        }
        disk.powerCut();
        const state = NodeFile.open(disk, DIRECTORY, IDENTITY)?.state;
        assert.ok(JSON.stringify(state) === JSON.stringify(FRESH) || JSON.stringify(state) === JSON.stringify(FULL));
        seen.add(state?.damage ?? "");
      }
    }
    assert.equal(seen.size, 2);
  });

  test("what a process left that died in the middle of a change is for good once the next one has read it", () => {
    for (let changes = 0; changes < 3; changes++) {
      const disk = newDisk();
      const file = create(disk);
      disk.crashAfterChanges(changes);
      try {
        file.replace(FULL);
      } catch {
        assert.ok(disk.isDead);
      }
      disk.crash();
      const state = NodeFile.open(disk, DIRECTORY, IDENTITY)?.state;
      disk.powerCut();
      assert.deepEqual(NodeFile.open(disk, DIRECTORY, IDENTITY)?.state, state);
    }
  });

  test("a change that cannot be stored changes nothing", () => {
    const disk = newDisk();
    const file = create(disk);
    disk.faults.capacityBytes = 0;
    assert.throws(() => file.replace(FULL), { code: "DISK_FULL" });
    assert.deepEqual(file.state, FRESH);
    assert.deepEqual(NodeFile.open(disk, DIRECTORY, IDENTITY)?.state, FRESH);
  });

  test("the cluster whose documents a node goes by is kept, and files without one stay as they were", () => {
    const disk = newDisk();
    const file = create(disk);
    assert.equal(file.clusterId, null);
    assert.doesNotMatch(disk.readFile(PATH)?.toString() ?? "", /clusterId/);
    file.noteClusterId("00000000-0000-4000-8000-000000000001");
    file.replace(FULL);
    disk.powerCut();
    const again = NodeFile.open(disk, DIRECTORY, IDENTITY);
    assert.equal(again?.clusterId, "00000000-0000-4000-8000-000000000001");
    assert.deepEqual(again?.state, FULL);
  });

  test("a directory of another cluster, shard or node is refused by name", () => {
    for (const what of ["cluster", "shard", "node"] as const) {
      const disk = newDisk();
      create(disk);
      const expected = { ...IDENTITY, [what]: "other" };
      assert.throws(
        () => NodeFile.open(disk, DIRECTORY, expected),
        (error) =>
          error instanceof KvError &&
          error.code === "WRONG_DIRECTORY" &&
          /belongs to .* not to .* other$/.test(error.message),
      );
    }
  });

  test("directories that were swapped are refused", () => {
    const disk = newDisk();
    create(disk);
    const other = { ...FRESH, store: { ...STORE, node: "127.0.0.4:8080" } };
    NodeFile.create(disk, "/data/mumbai", { cluster: "india", shard: "Mumbai", state: other });
    disk.crash();
    disk.swap(DIRECTORY, "/data/mumbai");
    assertRefused(disk, "WRONG_DIRECTORY", /belongs to shard Mumbai, not to shard Delhi/);
  });

  test("log or tree files without it are never started as an empty store", () => {
    for (const folder of ["log", "tree"]) {
      const disk = newDisk();
      disk.place(`${DIRECTORY}/${folder}/something`, Buffer.from("data"));
      assertRefused(disk, "WRONG_DIRECTORY", /no node\.json/);
    }
  });

  test("a newer format, damage and missing fields are refused with what is wrong", () => {
    const cases: readonly [string | RegExp, string, ErrorCode, RegExp][] = [
      [/"format": 1/, '"format": 2', "UNKNOWN_FORMAT", /has format 2, this program reads format 1/],
      [/"generation": 2/, '"generation": 3', "DATA_CORRUPT", /checksum/],
      [/"shard": "Delhi",/, "", "DATA_CORRUPT", /shard is missing/],
      [/"epoch": 1004/, '"epoch": "x"', "DATA_CORRUPT", /epoch is not a whole number/],
      [/"term": "00/, '"term": "zz', "DATA_CORRUPT", /term is not a term/],
      [/"phase": "replaying"/, '"phase": "resting"', "DATA_CORRUPT", /phase is "resting"/],
      [/"inSync": \[/, '"inSync": [7,', "DATA_CORRUPT", /inSync\[0\] is not an object/],
      [/\{/, "[", "DATA_CORRUPT", /not JSON/],
    ];
    for (const [from, to, code, message] of cases) {
      const disk = newDisk();
      create(disk, FULL);
      edit(disk, from, to);
      assertRefused(disk, code, message);
    }
    for (const content of ["", "null", "17", "{}", "\u0000".repeat(512)]) {
      const disk = newDisk();
      create(disk);
      disk.place(PATH, Buffer.from(content));
      assertRefused(disk, "DATA_CORRUPT", /damaged/);
    }
  });
});
