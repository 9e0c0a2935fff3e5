import assert from "node:assert/strict";
import { test } from "node:test";
import type { NodeName } from "../../../src/model/position.ts";
import type { PeerHandler, Respond } from "../../../src/wire/peer-network.ts";
import { MachineClock } from "../base/machine-clock.ts";
import { SimProcess } from "../base/sim-process.ts";
import { Simulation } from "../base/simulation.ts";
import type { NetworkWeather } from "./network-weather.ts";
import { CALM_NETWORK } from "./network-weather.ts";
import type { SimEndpoint } from "./sim-endpoint.ts";
import { SimNetwork } from "./sim-network.ts";

/** A node that notes what it is told and echoes requests. */
class Listener implements PeerHandler {
  readonly heard: string[] = [];

  onMessage(from: NodeName, { header }: { header: unknown }): void {
    this.heard.push(`${from} ${JSON.stringify(header)}`);
  }

  onRequest(_from: NodeName, body: Buffer, respond: Respond): void {
    this.heard.push(`request ${body.toString()}`);
    respond(body);
  }

  onDisconnected(node: NodeName): void {
    this.heard.push(`lost ${node}`);
  }
}

interface TestNode {
  readonly process: SimProcess;
  readonly endpoint: SimEndpoint;
  readonly listener: Listener;
}

function world(
  weather: Partial<NetworkWeather> = {},
  seed = 1,
): { simulation: Simulation; network: SimNetwork; a: TestNode; b: TestNode } {
  const simulation = new Simulation(seed);
  const network = new SimNetwork(simulation, { ...CALM_NETWORK, ...weather });
  const start = (node: NodeName): TestNode => {
    const clock = new MachineClock({ rate: 1, offsetMs: 0, wallOffsetMs: 0 });
    const process = new SimProcess({ simulation, name: node, clock, random: simulation.randomFor(node) });
    const endpoint = network.endpoint(node, process);
    const listener = new Listener();
    endpoint.listen(listener);
    return { process, endpoint, listener };
  };
  return { simulation, network, a: start("a"), b: start("b") };
}

function send(from: TestNode, to: NodeName, header: unknown): boolean {
  return from.endpoint.send(to, { type: "TEST", shard: "s", header, body: Buffer.alloc(0) });
}

function request(from: TestNode, to: NodeName, timeoutMs = 1000): string[] {
  const ends: string[] = [];
  const done = (end: { body: Buffer } | { error: { code: string }; sent: boolean }): void => {
    ends.push("error" in end ? `${end.error.code} ${end.sent ? "sent" : "not sent"}` : "answered");
  };
  from.endpoint.request(to, { body: Buffer.from("hello"), timeoutMs, done });
  return ends;
}

test("messages of one connection arrive in order, whatever their delays, also those sent before it was made", () => {
  const { simulation, a, b } = world({ latencySigma: 2, spikeShare: 0.2, spikeMsMax: 50 });
  for (let index = 0; index < 50; index++) assert.ok(send(a, "b", index));
  simulation.runUntil(5);
  for (let index = 50; index < 100; index++) send(a, "b", index);
  simulation.runUntil(60_000);
  assert.deepEqual(
    b.listener.heard,
    Array.from({ length: 100 }, (_, index) => `a ${index}`),
  );
});

test("a blocked direction holds back what is sent into it, and the other direction works", () => {
  const { simulation, network, a, b } = world();
  send(a, "b", 1);
  simulation.runUntil(100);
  network.block("a", "b");
  send(a, "b", 2);
  send(b, "a", 3);
  simulation.runUntil(200);
  assert.deepEqual(b.listener.heard, ["a 1"]);
  assert.deepEqual(a.listener.heard, ["b 3"]);
  network.heal();
  simulation.runUntil(300);
  assert.deepEqual(b.listener.heard, ["a 1", "a 2"]);
});

test("a block that outlasts the patience of the ends loses the connection and what was under way", () => {
  const { simulation, network, a, b } = world();
  send(a, "b", 1);
  simulation.runUntil(100);
  network.block("a", "b");
  send(a, "b", 2);
  const ends = request(a, "b", 60_000);
  simulation.runUntil(10_000);
  network.heal();
  simulation.runUntil(20_000);
  assert.deepEqual(b.listener.heard, ["a 1", "lost a"]);
  assert.deepEqual(a.listener.heard, ["lost b"]);
  assert.deepEqual(ends, ["UNKNOWN_OUTCOME sent"]);
});

test("a request to a node that is down is refused unseen, and refused at once while it is backed off from", () => {
  const { simulation, network, a, b } = world();
  b.process.kill();
  network.leave("b", "closed");
  const first = request(a, "b");
  assert.deepEqual(first, []);
  simulation.runUntil(20);
  assert.deepEqual(first, ["UNREACHABLE not sent"]);
  assert.deepEqual(request(a, "b"), ["UNREACHABLE not sent"]);
  assert.equal(send(a, "b", 1), false);
});

test("a request is answered, and one that is not answered in time is unknown", () => {
  const { simulation, a, b } = world();
  const answered = request(a, "b");
  simulation.runUntil(100);
  assert.deepEqual(answered, ["answered"]);
  b.process.pause(5000);
  const late = request(a, "b");
  simulation.runUntil(10_000);
  assert.deepEqual(late, ["UNKNOWN_OUTCOME sent"]);
});

test("when a process dies its peers lose the connection at once; when its machine falls silent they notice late", () => {
  for (const departure of ["closed", "silent"] as const) {
    const { simulation, network, a, b } = world();
    send(a, "b", 1);
    simulation.runUntil(100);
    b.process.kill();
    network.leave("b", departure);
    simulation.runUntil(300);
    assert.deepEqual(a.listener.heard, departure === "closed" ? ["lost b"] : []);
    simulation.runUntil(10_000);
    assert.deepEqual(a.listener.heard, ["lost b"]);
  }
});

test("a reset loses what is under way but for its beginning, and the next message makes a new connection", () => {
  let lost = 0;
  for (let seed = 1; seed <= 30; seed++) {
    const { simulation, network, a, b } = world({ latencyMedianMs: 10 }, seed);
    send(a, "b", 0);
    simulation.runUntil(1000);
    for (let index = 1; index <= 10; index++) send(a, "b", index);
    network.resetBetween("a", "b");
    simulation.runUntil(2000);
    const before = b.listener.heard.length - 1;
    assert.deepEqual(b.listener.heard, [...Array.from({ length: before }, (_, index) => `a ${index}`), "lost a"]);
    assert.deepEqual(a.listener.heard, ["lost b"]);
    send(a, "b", 11);
    simulation.runUntil(3000);
    assert.equal(b.listener.heard.at(-1), "a 11");
    lost += 11 - before;
  }
  assert.ok(lost > 30);
});

test("duplicates and late arrivals of a lost connection occur when the weather has them", () => {
  let duplicates = 0;
  let overtaken = 0;
  for (let seed = 1; seed <= 40; seed++) {
    const { simulation, network, a, b } = world({ latencyMedianMs: 5, lingerShare: 1, duplicateShare: 1 }, seed);
    for (let index = 0; index < 20; index++) {
      send(a, "b", index);
      simulation.runUntil(simulation.nowMs + 10);
      if (index === 10) network.resetBetween("a", "b");
    }
    simulation.runUntil(60_000);
    const numbers = b.listener.heard.filter((line) => line.startsWith("a ")).map((line) => Number(line.slice(2)));
    if (new Set(numbers).size < numbers.length) duplicates++;
    if (numbers.some((number, index) => number < (numbers[index - 1] ?? 0))) overtaken++;
  }
  assert.ok(duplicates > 3 && overtaken > 3, `${duplicates} ${overtaken}`);
});
