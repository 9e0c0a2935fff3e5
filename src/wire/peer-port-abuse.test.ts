import assert from "node:assert/strict";
import { setImmediate as nextTurn } from "node:timers/promises";
import { after, before, beforeEach, describe, it } from "node:test";
import { fuzzRuns, mutations, noise } from "../../tests/support/byte-mutations.ts";
import { startPeerNodes, until, type PeerNode } from "../../tests/support/peer-node.ts";
import { RawPeer } from "../../tests/support/raw-peer.ts";
import { forge, frameBytes } from "../../tests/support/wire-frames.ts";
import { SeededRandom } from "../base/random.ts";
import { LIMITS } from "../model/limits.ts";
import { FLAG, FRAME } from "./frame.ts";
import { encodePeerMessage } from "./peer-message-codec.ts";
import { ProtocolError } from "./protocol-error.ts";

const aMessage = encodePeerMessage({ type: "PULL", shard: "Delhi", header: { sid: "1" }, body: Buffer.alloc(0) }, 1);
const MESSAGE = frameBytes({
  type: FRAME.message,
  shardBytes: aMessage.shardBytes,
  payload: Buffer.concat(aMessage.parts),
});
const REQUEST = frameBytes({ type: FRAME.request, id: 1, payload: Buffer.from("do it") });
const PING = frameBytes({ type: FRAME.ping });
const HELLO = frameBytes({ type: FRAME.hello, payload: Buffer.from('{"protocol":1}') });

/** A first fragment that announces `totalBytes`. */
function beginning(totalBytes: number, id: number): Buffer {
  const payload = Buffer.alloc(10);
  payload.writeUInt32LE(totalBytes, 0);
  return frameBytes({ type: FRAME.request, id, flags: FLAG.first, payload });
}

const ANY_TIME: [string, Buffer][] = [
  ["no frame at all", Buffer.from("GET / HTTP/1.1\r\nHost: localhost\r\n\r\n")],
  ["a Redis command", Buffer.from("*3\r\n$3\r\nSET\r\n$1\r\na\r\n$1\r\nb\r\n")],
  ["another magic", forge(PING, (header) => header.writeUInt16LE(0, 0))],
  ["version 255", forge(PING, (header) => header.writeUInt8(255, 2))],
  ["length 0", forge(PING, (header) => header.writeUInt32LE(0, 4))],
  ["length 2^32-1", forge(PING, (header) => header.writeUInt32LE(0xffff_ffff, 4))],
  ["a length over the limit", forge(PING, (header) => header.writeUInt32LE(LIMITS.frameBytesMax + 1, 4))],
  ["an unknown type", forge(PING, (header) => header.writeUInt8(200, 3))],
  ["a wrong checksum of the header", Buffer.from(PING).fill(1, 20, 24)],
  ["a wrong checksum of the payload", forge(REQUEST, () => {}).fill(1, 24, 25)],
];

const STRANGERS: [string, Buffer][] = [
  ...ANY_TIME,
  ["a message before the handshake", MESSAGE],
  ["a request before the handshake", REQUEST],
  ["a sign of life before the handshake", PING],
  ["an answer before the handshake", frameBytes({ type: FRAME.response, id: 1 })],
  ["a proof before HELLO", frameBytes({ type: FRAME.proof, payload: Buffer.alloc(32) })],
  ["a HELLO without anything in it", HELLO],
  ["a HELLO that is no JSON", frameBytes({ type: FRAME.hello, payload: Buffer.from("{") })],
  ["a frame larger than a handshake needs", frameBytes({ type: FRAME.hello, payload: Buffer.alloc(5000) })],
  ["a HELLO in pieces", frameBytes({ type: FRAME.hello, flags: FLAG.first, payload: Buffer.alloc(10) })],
];

const PEERS: [string, Buffer][] = [
  ...ANY_TIME,
  ["HELLO again", HELLO],
  ["a proof after the handshake", frameBytes({ type: FRAME.proof, payload: Buffer.alloc(32) })],
  ["a refusal after the handshake", frameBytes({ type: FRAME.refused })],
  ["an answer to a request never made", frameBytes({ type: FRAME.response, id: 5 })],
  ["a failure of a request never made", frameBytes({ type: FRAME.failure, id: 5, payload: Buffer.alloc(5) })],
  ["a malformed failure", frameBytes({ type: FRAME.failure, id: 0, payload: Buffer.alloc(1) })],
  ["a ping with a payload", frameBytes({ type: FRAME.ping, payload: Buffer.alloc(1) })],
  ["a report of more than was sent to it", frameBytes({ type: FRAME.taken, id: 100_000 })],
  ["a message without a header", frameBytes({ type: FRAME.message, payload: Buffer.from("\x02HB") })],
  ["a message of a lower-case type", frameBytes({ type: FRAME.message, payload: Buffer.from("\x02hb\x02\0\0\0{}") })],
  ["a request that the node finds malformed", REQUEST],
  [
    "a fragment without a beginning",
    frameBytes({ type: FRAME.request, id: 2, flags: FLAG.last, payload: Buffer.alloc(5) }),
  ],
  ["a message over the limit", beginning(LIMITS.messageBytesMax + 1, 1)],
  [
    "too many unfinished bytes",
    Buffer.concat(Array.from({ length: 6 }, (_, id) => beginning(LIMITS.messageBytesMax, id))),
  ],
  [
    "too many unfinished messages",
    Buffer.concat(Array.from({ length: LIMITS.peerPartialMessagesMax + 1 }, (_, id) => beginning(1000, id))),
  ],
];

describe("the peer port under abuse", () => {
  let victim: PeerNode;
  let friend: PeerNode;
  let effects = 0;

  before(async () => {
    const [a, b] = await startPeerNodes(["victim", "friend"], {
      timings: { handshakeMs: 400, lingerMs: 100 },
      isKnownNode: () => true,
    });
    assert.ok(a !== undefined && b !== undefined);
    [victim, friend] = [a, b];
  });
  beforeEach(() => {
    effects = 0;
    victim.onMessageArrived = () => effects++;
    victim.onRequestBody = (body, respond) => {
      if (body.toString() === "do it") throw new ProtocolError("The node does not do that");
      respond(body);
    };
  });
  after(async () => {
    await Promise.all([victim.stop(), friend.stop()]);
  });

  async function isServing(): Promise<void> {
    const answer = await friend.ask("victim", Buffer.from("hello"));
    assert.ok("body" in answer && answer.body.toString() === "hello");
  }

  for (const [name, bytes] of STRANGERS) {
    it(`closes the connection of a stranger who sends ${name}`, async () => {
      const faults = victim.network.counters.protocolErrors;
      const raw = new RawPeer(victim);
      raw.write(bytes);
      assert.notEqual(await raw.refusal(), "");
      assert.equal(victim.network.counters.protocolErrors, faults + 1);
      assert.equal(effects, 0);
      await isServing();
    });
  }

  for (const [name, bytes] of PEERS) {
    it(`closes the connection of a node that sends ${name}`, async () => {
      const faults = victim.network.counters.protocolErrors;
      const raw = await new RawPeer(victim).prove("raw");
      raw.write(bytes);
      await raw.refusal();
      assert.equal(victim.network.counters.protocolErrors, faults + 1);
      assert.equal(effects, 0);
      await isServing();
    });
  }

  it("gives nobody more time for the handshake than there is", async () => {
    const refused = victim.network.counters.handshakesRefused;
    const silent = new RawPeer(victim);
    const slow = new RawPeer(victim);
    slow.write(HELLO.subarray(0, 30));
    await Promise.all([silent.refusal(), slow.refusal()]);
    assert.equal(victim.network.counters.handshakesRefused, refused + 2);
  });

  it("lets only so many knock at a time, and serves its friends meanwhile", async () => {
    await isServing();
    const crowd = Array.from({ length: LIMITS.peerHandshakesMax + 50 }, () => new RawPeer(victim));
    await until("the crowd is cut down", () => crowd.filter((raw) => raw.isClosed).length >= 50, 2000);
    await isServing();
    await Promise.all(crowd.map((raw) => raw.refusal()));
    await until("all are gone", () => victim.network.connectionCount <= 1);
    await isServing();
  });

  it("bounds what a node that does not read makes it keep", async () => {
    const raw = await new RawPeer(victim).prove("raw");
    raw.socket.pause();
    const large = Buffer.alloc(1_000_000);
    victim.onRequestBody = (body, respond) => respond(body.length === 0 ? large : body);
    let id = 1;
    const flood = (): void => {
      for (let i = 0; i < 50; i++) raw.write(frameBytes({ type: FRAME.request, id: id++ }));
    };
    let most = 0;
    const measure = (): void => {
      most = Math.max(most, victim.network.outgoingBytes);
    };
    for (let round = 0; round < 20; round++) {
      flood();
      await nextTurn();
      measure();
    }
    await until("answers are refused", () => {
      measure();
      return victim.network.counters.overloads > 0;
    });
    assert.ok(most > LIMITS.peerOutgoingBytesMax / 2, `only ${most} bytes waited`);
    assert.ok(most <= LIMITS.peerOutgoingBytesMax + large.length, `${most} bytes waited`);
    await isServing();
    raw.destroy();
    await until("the memory is free", () => victim.network.outgoingBytes === 0);
  });

  it("stays as it was under thousands of damaged connections", async () => {
    const random = new SeededRandom(11);
    const valid = [MESSAGE, REQUEST, HELLO, PING, noise(random, 500), beginning(LIMITS.messageBytesMax, 1)];
    const storm = async (count: number, seed: number): Promise<void> => {
      const inputs = [...mutations(valid, count, seed)];
      const work = async (): Promise<void> => {
        for (let bytes = inputs.pop(); bytes !== undefined; bytes = inputs.pop()) {
          const raw = new RawPeer(victim);
          raw.socket.end(bytes);
          await until("it is closed", () => raw.isClosed);
        }
      };
      await Promise.all(Array.from({ length: 50 }, work));
    };
    await storm(200, 1);
    const rssBefore = process.memoryUsage().rss;
    await storm(fuzzRuns(2000), 2);
    const grownMb = (process.memoryUsage().rss - rssBefore) / 1_000_000;
    assert.ok(grownMb < 60, `${grownMb.toFixed(0)} MB grown, both ends of all connections included`);
    assert.equal(effects, 0);
    await until("nobody is left", () => victim.network.connectionCount <= 1);
    await isServing();
  });
});
