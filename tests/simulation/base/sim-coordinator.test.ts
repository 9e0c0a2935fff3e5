import assert from "node:assert/strict";
import { test } from "node:test";
import type { Coordinator, ReadResult, SwapResult } from "../../../src/coordinator/coordinator.ts";
import { MachineClock } from "./machine-clock.ts";
import { CALM_COORDINATOR, type CoordinatorFaults, SimCoordinator } from "./sim-coordinator.ts";
import { SimProcess } from "./sim-process.ts";
import { Simulation } from "./simulation.ts";

const KEY = "/kv/test/shards/Delhi";

const ROUGH: CoordinatorFaults = {
  latencyMs: 5,
  lostRequestChance: 0.05,
  lostReplyChance: 0.1,
  lateRequestChance: 0.2,
  lateSwapChance: 0,
  lateRequestMsMax: 5000,
  lostHintChance: 0.3,
  doubledHintChance: 0.3,
  hintLagMsMax: 2000,
};

function startProcess(simulation: Simulation, name: string): SimProcess {
  const clock = new MachineClock({ rate: 1, offsetMs: 0, wallOffsetMs: 0 });
  return new SimProcess({ simulation, name, clock, random: simulation.randomFor(name) });
}

/**
 * Adds its name to a list, again and again, by rules C1 to C3: a swap that is unknown is repeated, unchanged, until it is certain.
 * What it believes to have added is checked against the list.
 */
class Appender {
  readonly #coordinator: Coordinator;
  readonly #name: string;
  #count = 0;
  /** Of all swaps whose success is certain. */
  readonly added: string[] = [];
  readonly revisions: string[] = [];

  constructor(coordinator: Coordinator, name: string) {
    this.#coordinator = coordinator;
    this.#name = name;
    this.#next();
  }

  #next(): void {
    this.#coordinator.read(KEY, (result) => this.#onRead(result));
  }

  #onRead(result: ReadResult): void {
    if (result.kind === "failed") {
      this.#next();
      return;
    }
    const mark = `${this.#name}${++this.#count}`;
    const [from, list] = result.kind === "value" ? [result.revision, result.value] : ["0", ""];
    this.#try({ from, to: `${list} ${mark}`, mark });
  }

  #try(wanted: { readonly from: string; readonly to: string; readonly mark: string }): void {
    const { from, to, mark } = wanted;
    this.#coordinator.compareAndSwap(KEY, { expectedRevision: from, value: to }, (result: SwapResult) => {
      if (result.kind === "unknown") {
        this.#try(wanted);
        return;
      }
      if (result.kind === "accepted") {
        this.revisions.push(result.revision);
        this.added.push(mark);
      }
      this.#next();
    });
  }
}

function run(seed: number): { hash: string; accepted: number; markers: Readonly<Record<string, number>> } {
  const simulation = new Simulation(seed);
  const coordinator = new SimCoordinator(simulation, ROUGH);
  const appenders = ["a", "b", "c"].map(
    (name) => new Appender(coordinator.connect(startProcess(simulation, name), 300), name),
  );
  for (const [atMs, state] of [
    [2000, "silent"],
    [3000, "up"],
    [5000, "refusing"],
    [5500, "up"],
  ] as const) {
    simulation.schedule(atMs, "fault", () => coordinator.setState(state));
  }
  simulation.runUntil(20_000);
  const list = (coordinator.documentOf(KEY)?.value ?? "").trim().split(" ");
  assert.equal(new Set(list).size, list.length, `seed ${seed}: a swap took effect twice`);
  for (const { added } of appenders) {
    for (const mark of added) assert(list.includes(mark), `seed ${seed}: ${mark} was accepted and is gone`);
  }
  const revisions = appenders.flatMap((appender) => appender.revisions);
  assert.equal(new Set(revisions).size, revisions.length, `seed ${seed}: a revision was given twice`);
  assert.equal(simulation.violation, null);
  return { hash: simulation.trace.hash, accepted: revisions.length, markers: simulation.markers.counts };
}

test("however rough the way, nothing accepted is lost and nothing takes effect twice", () => {
  let accepted = 0;
  const seen = new Set<string>();
  for (let seed = 1; seed <= 40; seed++) {
    const result = run(seed);
    accepted += result.accepted;
    for (const marker of Object.keys(result.markers)) seen.add(marker);
  }
  assert(accepted > 1000, `${accepted} swaps`);
  assert.deepEqual([...seen].sort(), [
    "a request arrived at the coordinator after its caller gave up",
    "an answer of the coordinator was lost",
  ]);
});

test("the same seed takes the same course", () => {
  assert.equal(run(5).hash, run(5).hash);
  assert.notEqual(run(5).hash, run(6).hash);
});

test("hints are lost, doubled and late, and those of a dead process are nobody's", () => {
  const simulation = new Simulation(3);
  const coordinator = new SimCoordinator(simulation, { ...ROUGH, lostRequestChance: 0, lateRequestChance: 0 });
  const watcher = startProcess(simulation, "watcher");
  let hints = 0;
  coordinator.connect(watcher).watch(KEY, () => hints++);
  const writer = coordinator.connect(startProcess(simulation, "writer"));
  const write = (count: number): void => {
    for (let i = 0; i < count; i++) {
      const expectedRevision = coordinator.documentOf(KEY)?.revision ?? "0";
      writer.compareAndSwap(KEY, { expectedRevision, value: "x" }, () => {});
      simulation.runUntil(simulation.nowMs + 20);
    }
  };
  write(200);
  const early = hints;
  simulation.runUntil(simulation.nowMs + 3000);
  assert(early < hints, "some were late");
  const expected = 200 * 0.7 * 1.3;
  assert(hints > 0.8 * expected && hints < 1.2 * expected, `${hints} of about ${expected}`);
  const told = hints;
  write(10);
  watcher.kill();
  simulation.runUntil(simulation.nowMs + 3000);
  assert(hints < told + 26 && hints >= told);
});

test("a process that is cut off gets no answers, though what it asks for may happen", () => {
  const simulation = new Simulation(4);
  const coordinator = new SimCoordinator(simulation, CALM_COORDINATOR);
  const client = coordinator.connect(startProcess(simulation, "client"), 100);
  const results: string[] = [];
  const swap = (from: string): void => {
    client.compareAndSwap(KEY, { expectedRevision: from, value: "x" }, ({ kind }) => results.push(kind));
    simulation.runUntil(simulation.nowMs + 200);
  };
  coordinator.cut("client", "replies");
  swap("0");
  assert.equal(coordinator.documentOf(KEY)?.revision, "1");
  coordinator.cut("client", "both");
  swap("1");
  assert.equal(coordinator.documentOf(KEY)?.revision, "1");
  coordinator.cut("client", "none");
  swap("1");
  coordinator.setState("silent");
  swap("2");
  coordinator.setState("refusing");
  swap("2");
  assert.deepEqual(results, ["unknown", "unknown", "accepted", "unknown", "failed"]);
});

test("a backup that is restored gives revisions out again: the old past is in force", () => {
  const simulation = new Simulation(5);
  const coordinator = new SimCoordinator(simulation, CALM_COORDINATOR);
  const client = coordinator.connect(startProcess(simulation, "client"));
  const revisions: string[] = [];
  const swap = (from: string, value: string): void => {
    client.compareAndSwap(KEY, { expectedRevision: from, value }, (result) => {
      if (result.kind === "accepted") revisions.push(result.revision);
    });
    simulation.runUntil(simulation.nowMs + 10);
  };
  swap("0", "first");
  const backup = coordinator.backup();
  swap("1", "second");
  coordinator.restore(backup);
  assert.equal(coordinator.documentOf(KEY)?.value, "first");
  swap("1", "another second");
  assert.deepEqual(revisions, ["1", "2", "2"]);
});
