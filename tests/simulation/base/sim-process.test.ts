import assert from "node:assert/strict";
import { test } from "node:test";
import { SeededRandom } from "../../../src/base/random.ts";
import { EventHeap } from "./event-heap.ts";
import { MachineClock } from "./machine-clock.ts";
import { SimProcess } from "./sim-process.ts";
import { Simulation } from "./simulation.ts";

function startProcess(simulation: Simulation, rate = 1): SimProcess {
  const clock = new MachineClock({ rate, offsetMs: 1000, wallOffsetMs: 0 });
  return new SimProcess({ simulation, name: "node", clock, random: simulation.randomFor("node") });
}

test("events come out by time, then tie-break, then insertion, without the cancelled ones", () => {
  const random = new SeededRandom(5);
  const heap = new EventHeap();
  const events = Array.from({ length: 2000 }, (_, order) => ({
    timeMs: random.below(50),
    tieBreak: random.below(3),
    order,
    label: "",
    run: () => {},
    isCancelled: random.below(5) === 0,
  }));
  for (const event of events) heap.push(event);
  const expected = events.filter((event) => !event.isCancelled);
  expected.sort((a, b) => a.timeMs - b.timeMs || a.tieBreak - b.tieBreak || a.order - b.order);
  for (const event of expected) assert.equal(heap.pop(), event);
  assert.equal(heap.pop(), undefined);
});

test("a clock that runs fast shows more time and rings its timers earlier", () => {
  const simulation = new Simulation(1);
  const process = startProcess(simulation, 1.25);
  let rangAtMs = 0;
  process.after(100, () => (rangAtMs = simulation.nowMs));
  simulation.runUntil(200);
  assert.equal(rangAtMs, 80);
  assert.equal(process.nowMs(), 1000 + 250);
});

test("what is wanted soon comes before timers of the same instant, in order; cancelled timers never ring", () => {
  const simulation = new Simulation(1);
  const process = startProcess(simulation);
  const heard: string[] = [];
  for (let index = 0; index < 5; index++) process.after(0, () => heard.push("timer"));
  process.soon(() => heard.push("soon 1"));
  process.soon(() => heard.push("soon 2"));
  process.after(0, () => heard.push("cancelled")).cancel();
  simulation.runUntil(1);
  assert.deepEqual(heard, ["soon 1", "soon 2", "timer", "timer", "timer", "timer", "timer"]);
});

test("a paused process does nothing, then all that was due in a burst: phase by phase, timers in their order", () => {
  const orders = new Set<string>();
  for (let seed = 1; seed <= 30; seed++) {
    const simulation = new Simulation(seed);
    const process = startProcess(simulation);
    const heard: string[] = [];
    for (const delayMs of [30, 10, 20]) process.after(delayMs, () => heard.push(`t${delayMs}`));
    process.deliver({ phase: "network", delayMs: 15, run: () => heard.push("net") });
    const cancelled = process.after(25, () => heard.push("cancelled"));
    process.pause(100);
    simulation.runUntil(99);
    assert.deepEqual(heard, []);
    cancelled.cancel();
    simulation.runUntil(100);
    assert.equal(process.nowMs(), 1100);
    orders.add(heard.join(" "));
  }
  assert.deepEqual([...orders].sort(), ["net t10 t20 t30", "t10 t20 t30 net"]);
});

test("nothing runs in a dead process", () => {
  const simulation = new Simulation(1);
  const process = startProcess(simulation);
  process.after(10, () => assert.fail("ran"));
  process.pause(20);
  simulation.runUntil(15);
  process.kill();
  process.soon(() => assert.fail("ran"));
  simulation.runUntil(100);
});

test("a process whose code throws is dead, and the run has failed", () => {
  const simulation = new Simulation(1);
  const process = startProcess(simulation);
  process.after(10, () => {
    throw new Error("on purpose");
  });
  simulation.runUntil(100);
  assert.equal(process.isAlive, false);
  assert.match(simulation.violation?.detail ?? "", /on purpose/);
});
