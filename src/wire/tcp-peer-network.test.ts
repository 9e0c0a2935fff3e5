import assert from "node:assert/strict";
import { fork, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { createServer, type Socket } from "node:net";
import { setImmediate as nextTurn } from "node:timers/promises";
import { afterEach, describe, it } from "node:test";
import { fileURLToPath } from "node:url";
import { PeerNode, randomLoopback, startPeerNodes, until, type AddressBook } from "../../tests/support/peer-node.ts";
import { RawPeer } from "../../tests/support/raw-peer.ts";
import { LIMITS } from "../model/limits.ts";
import type { PeerMessage, RequestFailure, Respond } from "./peer-network.ts";

const running: PeerNode[] = [];
const children: ChildProcess[] = [];

async function start(
  names: readonly string[],
  options: Parameters<typeof startPeerNodes>[1] = {},
): Promise<PeerNode[]> {
  const nodes = await startPeerNodes(names, options);
  running.push(...nodes);
  return nodes;
}

async function startPair(options: Parameters<typeof startPeerNodes>[1] = {}): Promise<[PeerNode, PeerNode]> {
  const [a, b] = await start(["a", "b"], options);
  assert.ok(a !== undefined && b !== undefined);
  return [a, b];
}

/** Starts a node of its own process; gives it once it listens. */
async function startProcess(
  name: string,
  host: string,
  port: number,
  others: readonly string[],
): Promise<[ChildProcess, number]> {
  const child = fork(
    fileURLToPath(import.meta.resolve("../../tests/support/peer-node-process.ts")),
    [name, host, String(port), ...others],
    {
      stdio: ["ignore", "pipe", "inherit", "ipc"],
    },
  );
  children.push(child);
  assert.ok(child.stdout !== null);
  const [line] = (await once(child.stdout, "data")) as [Buffer];
  return [child, Number(line.toString())];
}

afterEach(async () => {
  for (const child of children.splice(0)) child.kill("SIGKILL");
  await Promise.all(running.splice(0).map((node) => node.stop()));
});

function message(type: string, body: Buffer = Buffer.alloc(0), shard = "Delhi"): PeerMessage {
  return { type, shard, header: { type }, body };
}

function failureOf(outcome: { readonly body: Buffer } | RequestFailure): { code: string; sent: boolean } {
  assert.ok("error" in outcome, "the request failed");
  return { code: outcome.error.code, sent: outcome.sent };
}

function bodyOf(outcome: { readonly body: Buffer } | RequestFailure): Buffer {
  assert.ok("body" in outcome, "error" in outcome ? outcome.error.message : "");
  return outcome.body;
}

/** Asks again while nothing could be sent: the other node is backed off from for a while. */
async function askUntilAnswered(
  node: PeerNode,
  to: string,
  text: string,
): Promise<{ readonly body: Buffer } | RequestFailure> {
  const endsMs = performance.now() + 3000;
  for (;;) {
    const answer = await node.ask(to, Buffer.from(text));
    if ("body" in answer || answer.sent || performance.now() > endsMs) return answer;
    await nextTurn();
  }
}

describe("the network between nodes", () => {
  it("connects on demand, once for each pair, and uses the connection in both directions", async () => {
    const [a, b] = await startPair();
    assert.equal(a.network.connectionCount, 0);
    assert.equal(bodyOf(await a.ask("b", Buffer.from("hello"))).toString(), "hello");
    assert.equal(bodyOf(await b.ask("a", Buffer.from("back"))).toString(), "back");
    assert.ok(b.network.send("a", message("HB", Buffer.from("body"))));
    await until("the message arrives", () => a.messages.length === 1);
    assert.deepEqual(a.messages[0], { from: "b", message: message("HB", Buffer.from("body")) });
    assert.equal(a.network.connectionCount + b.network.connectionCount, 2);
    assert.equal(a.network.peerOf("b")?.node, "b");
    assert.equal(a.network.peerOf("nobody"), null);
  });

  it("keeps what is sent while it connects, in order", async () => {
    const [a, b] = await startPair();
    for (let i = 0; i < 100; i++) assert.ok(a.network.send("b", message("PULL", Buffer.from([i]))));
    await until("all arrive", () => b.messages.length === 100);
    assert.deepEqual(
      b.messages.map(({ message: arrived }) => arrived.body[0]),
      Array.from({ length: 100 }, (_, i) => i),
    );
  });

  it("copes with two nodes that dial each other at once", async () => {
    const [a, b] = await startPair();
    const answers = await Promise.all([a.ask("b", Buffer.from("1")), b.ask("a", Buffer.from("2"))]);
    assert.deepEqual(
      answers.map((answer) => bodyOf(answer).toString()),
      ["1", "2"],
    );
    assert.deepEqual([...a.disconnected, ...b.disconnected], []);
    assert.equal(bodyOf(await a.ask("b", Buffer.from("3"))).toString(), "3");
  });

  it("dials from its own loopback address, so that addresses can be cut off", async () => {
    const [a] = await startPair();
    const seen = new Promise<Socket>((resolve) => {
      const server = createServer((socket) => {
        resolve(socket);
        server.close();
      });
      server.listen(0, randomLoopback(), () => {
        const address = server.address();
        assert.ok(typeof address === "object" && address !== null);
        a.book.set("c", `${address.address}:${address.port}`);
        a.network.send("c", message("HB"));
      });
    });
    const socket = await seen;
    assert.equal(socket.remoteAddress, a.host);
    socket.destroy();
  });

  it("answers 10,000 requests in flight, and refuses one more, unsent", async () => {
    const [a, b] = await startPair();
    const waiting: [Buffer, Respond][] = [];
    b.onRequestBody = (body, respond) => void waiting.push([Buffer.from(body), respond]);
    const count = LIMITS.peerRequestsInFlightMax;
    const asked = Array.from({ length: count }, (_, i) => a.ask("b", Buffer.from(String(i)), 20_000));
    assert.deepEqual(failureOf(await a.ask("b", Buffer.from("more"))), { code: "OVERLOADED", sent: false });
    await until("all arrive", () => waiting.length === count);
    assert.equal(a.network.requestsInFlight, count);
    for (const [body, respond] of waiting.toReversed()) respond(Buffer.concat([body, Buffer.from("!")]));
    const answers = await Promise.all(asked);
    for (const [i, answer] of answers.entries()) assert.equal(bodyOf(answer).toString(), `${i}!`);
    assert.equal(a.network.requestsInFlight, 0);
  });

  it("carries 16 MiB both ways", async () => {
    const [a] = await startPair();
    const large = Buffer.alloc(LIMITS.valueBytesMax);
    for (let i = 0; i < large.length; i += 997) large[i] = i;
    assert.ok(bodyOf(await a.ask("b", large)).equals(large));
    const tooLarge = Buffer.alloc(LIMITS.messageBytesMax + 1);
    assert.deepEqual(failureOf(await a.ask("b", tooLarge)), { code: "VALUE_TOO_LARGE", sent: false });
  });

  it("does not delay small requests by large ones", async () => {
    const [a, b] = await startPair();
    b.onRequestBody = (body, respond) => respond(body.length > 1000 ? Buffer.alloc(0) : body);
    bodyOf(await a.ask("b", Buffer.from("warm")));
    const large = Buffer.alloc(LIMITS.valueBytesMax, 1);
    const startedMs = performance.now();
    let largeMs = 0;
    const largeDone = (async () => {
      for (const answer of await Promise.all([1, 2, 3, 4].map(() => a.ask("b", large, 20_000)))) bodyOf(answer);
      largeMs = performance.now() - startedMs;
    })();
    const latenciesMs: number[] = [];
    for (let isLate = false; !isLate;) {
      const askedMs = performance.now();
      bodyOf(await a.ask("b", Buffer.from("small")));
      isLate = largeMs > 0;
      if (!isLate) latenciesMs.push(performance.now() - askedMs);
    }
    await largeDone;
    latenciesMs.sort((x, y) => x - y);
    const median = latenciesMs[Math.floor(latenciesMs.length / 2)] ?? Infinity;
    assert.ok(latenciesMs.length >= 5, `only ${latenciesMs.length} small requests in ${largeMs.toFixed(0)} ms`);
    assert.ok(median < largeMs / 5, `median ${median.toFixed(1)} ms while 4 × 16 MiB took ${largeMs.toFixed(0)} ms`);
  });

  it("tells what was not sent from what nobody can know", async (t) => {
    const [a, b] = await startPair({ timings: { handshakeMs: 300 } });
    const silent = createServer(() => {});
    t.after(() => silent.close());
    await once(silent.listen(0, a.host), "listening");
    const address = silent.address();
    assert.ok(typeof address === "object" && address !== null);
    a.book.set("silent", `${a.host}:${address.port}`);
    a.book.set("closed", `${a.host}:1`);
    b.onRequestBody = () => {};
    const outcomes = {
      unknownNode: await a.ask("nowhere", Buffer.from("x")),
      refused: await a.ask("closed", Buffer.from("x")),
      backedOff: await a.ask("closed", Buffer.from("x")),
      beforeHandshake: await a.ask("silent", Buffer.from("x"), 100),
      noHandshake: await a.ask("silent", Buffer.from("x"), 2000),
      noAnswer: await a.ask("b", Buffer.from("x"), 100),
    };
    assert.deepEqual(
      Object.fromEntries(Object.entries(outcomes).map(([name, outcome]) => [name, failureOf(outcome)])),
      {
        unknownNode: { code: "UNREACHABLE", sent: false },
        refused: { code: "UNREACHABLE", sent: false },
        backedOff: { code: "UNREACHABLE", sent: false },
        beforeHandshake: { code: "DEADLINE_EXCEEDED", sent: false },
        noHandshake: { code: "UNREACHABLE", sent: false },
        noAnswer: { code: "UNKNOWN_OUTCOME", sent: true },
      },
    );
    failureOf(await a.ask("closed", Buffer.from("x")));
    assert.equal(a.network.send("closed", message("HB")), false);
    assert.equal(a.network.send("nowhere", message("HB")), false);
    assert.equal(a.network.counters.requestsTimedOut, 2);
    assert.ok(a.network.counters.dialFailures >= 2);
    assert.deepEqual(a.disconnected, []);
  });

  it("drops answers that come twice or too late", async () => {
    const [a, b] = await startPair();
    let late: Respond = () => assert.fail("nothing was asked");
    b.onRequestBody = (body, respond) => {
      if (body.toString() === "late") late = respond;
      else {
        respond(Buffer.from("first"));
        respond(Buffer.from("second"));
      }
    };
    assert.deepEqual(failureOf(await a.ask("b", Buffer.from("late"), 60)), { code: "UNKNOWN_OUTCOME", sent: true });
    late(Buffer.from("too late"));
    assert.equal(bodyOf(await a.ask("b", Buffer.from("x"))).toString(), "first");
    assert.equal(bodyOf(await a.ask("b", Buffer.from("x"))).toString(), "first");
    assert.equal(a.network.counters.protocolErrors, 0);
    assert.equal(a.network.connectionCount, 1);
  });

  it("refuses nodes of another secret, cluster, name or format, and says why", async () => {
    const [a, b] = await startPair({ secret: "one" });
    const book: AddressBook = new Map([["a", `${a.host}:${a.port}`]]);
    const strangers: [Partial<ConstructorParameters<typeof PeerNode>[2]>, RegExp][] = [
      [{ secret: "two" }, /shared secret/],
      [{ secret: "" }, /shared secret/],
      [{ secret: "one", identity: { cluster: "other" } }, /another cluster/],
      [{ secret: "one", identity: { formatVersion: 9 } }, /[Ff]ormat/],
      [{ secret: "one", identity: { node: "unheard-of" } }, /knows no node/],
    ];
    for (const [options, reason] of strangers) {
      const stranger = new PeerNode("b", new Map(book), options);
      running.push(await stranger.start());
      const refused = a.network.counters.handshakesRefused;
      const outcome = await stranger.ask("a", Buffer.from("x"));
      assert.deepEqual(failureOf(outcome), { code: "UNREACHABLE", sent: false });
      assert.match("error" in outcome ? outcome.error.message : "", reason);
      await until("it is counted", () => a.network.counters.handshakesRefused === refused + 1);
    }
    await assert.rejects(new RawPeer(a).prove("a", {}, "one"), /itself/);
    assert.equal(bodyOf(await b.ask("a", Buffer.from("friend"))).toString(), "friend");
  });

  it("replaces the connection of a former life of a node at once", async () => {
    const [a] = await startPair({ isKnownNode: () => true });
    const first = await new RawPeer(a).prove("c", { boot: "first" });
    await until("it is known", () => a.network.peerOf("c")?.boot === "first");
    const second = await new RawPeer(a).prove("c", { boot: "second" });
    await first.refusal();
    assert.deepEqual(a.disconnected, ["c"]);
    await until("the new one is known", () => a.network.peerOf("c")?.boot === "second");
    assert.equal(second.isClosed, false);
    second.destroy();
  });

  it("delivers answers, fails what waits, and frees the port when it is closed", async () => {
    const [a, b] = await startPair();
    b.onRequestBody = (body, respond) => {
      if (body.toString() !== "stop") return;
      respond(Buffer.from("stopping"));
      void b.stop();
    };
    const kept = a.ask("b", Buffer.from("keep"));
    assert.equal(bodyOf(await a.ask("b", Buffer.from("stop"))).toString(), "stopping");
    assert.deepEqual(failureOf(await kept), { code: "UNKNOWN_OUTCOME", sent: true });
    assert.deepEqual(failureOf(await b.ask("a", Buffer.from("x"))), { code: "STOPPING", sent: false });
    await until("the loss is reported", () => a.disconnected.length === 1);
    running.splice(running.indexOf(b), 1);
    const port = Number(a.book.get("b")?.split(":").at(-1));
    const again = new PeerNode("b", a.book, { host: b.host, port });
    await until("all is gone", () => b.network.connectionCount === 0);
    running.push(await again.start());
    assert.equal(bodyOf(await askUntilAnswered(a, "b", "again")).toString(), "again");
    assert.equal(a.network.counters.reconnects, 1);
  });

  it("says when another process has its port", async () => {
    const [a] = await startPair();
    const second = new PeerNode("z", new Map(), { host: a.host, port: a.port });
    await assert.rejects(second.start(), { code: "ADDRESS_IN_USE" });
    await second.stop();
  });
});

describe("the network between processes", () => {
  it("notices a kill at once, and connects again when the node is back", async () => {
    const [a] = await start(["a"]);
    assert.ok(a !== undefined);
    const host = randomLoopback();
    const own = `a=${a.host}:${a.port}`;
    const [child, port] = await startProcess("c", host, 0, [own]);
    a.book.set("c", `${host}:${port}`);
    bodyOf(await a.ask("c", Buffer.from("hello")));
    const kept = a.ask("c", Buffer.from("keep this"));
    bodyOf(await a.ask("c", Buffer.from("behind it")));
    const killedMs = performance.now();
    child.kill("SIGKILL");
    assert.deepEqual(failureOf(await kept), { code: "UNKNOWN_OUTCOME", sent: true });
    assert.ok(performance.now() - killedMs < 1000, "a broken connection shows at once");
    assert.deepEqual(a.disconnected, ["c"]);
    assert.deepEqual(failureOf(await a.ask("c", Buffer.from("anybody?"))), { code: "UNREACHABLE", sent: false });
    await startProcess("c", host, port, [own]);
    assert.equal(bodyOf(await askUntilAnswered(a, "c", "again")).toString(), "again");
    assert.equal(a.network.counters.reconnects, 1);
  });

  it("gives a node up that is silent, within seconds, and keeps one that is merely idle", async () => {
    const [a, b] = await startPair({ timings: { pingAfterMs: 200, silenceMs: 600 } });
    const host = randomLoopback();
    const [child, port] = await startProcess("c", host, 0, [`a=${a.host}:${a.port}`]);
    a.book.set("c", `${host}:${port}`);
    bodyOf(await a.ask("c", Buffer.from("hello")));
    bodyOf(await a.ask("b", Buffer.from("hello")));
    child.kill("SIGSTOP");
    const stoppedMs = performance.now();
    const outcome = await a.ask("c", Buffer.from("are you there?"), 10_000);
    const silentMs = performance.now() - stoppedMs;
    child.kill("SIGCONT");
    assert.deepEqual(failureOf(outcome), { code: "UNKNOWN_OUTCOME", sent: true });
    assert.ok(silentMs > 500 && silentMs < 2500, `it took ${silentMs.toFixed(0)} ms`);
    assert.deepEqual(a.disconnected, ["c"]);
    assert.equal(a.network.counters.silences, 1);
    assert.deepEqual(b.disconnected, []);
    assert.equal(a.network.counters.connects, 2);
  });
});
