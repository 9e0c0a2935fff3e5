import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { fuzzRuns, noise } from "../../tests/support/byte-mutations.ts";
import { cut, frameBytes } from "../../tests/support/wire-frames.ts";
import { SeededRandom } from "../base/random.ts";
import { LIMITS } from "../model/limits.ts";
import { FLAG, FRAME, WHOLE, type Frame } from "./frame.ts";
import { FrameDecoder } from "./frame-decoder.ts";
import { FrameWriter } from "./frame-writer.ts";
import { MessageAssembler, type WireMessage } from "./message-assembler.ts";
import { OutgoingMessage, OutgoingQueue } from "./outgoing-queue.ts";
import { ProtocolError } from "./protocol-error.ts";

const FRAGMENT = LIMITS.peerFragmentBytes;

/** The receiving end of a connection, without the socket. */
class Receiver {
  readonly decoder: FrameDecoder = new FrameDecoder(LIMITS.frameBytesMax);
  readonly assembler: MessageAssembler = new MessageAssembler();
  readonly messages: WireMessage[] = [];

  receive(chunks: readonly Buffer[]): void {
    for (const chunk of chunks) {
      this.decoder.push(chunk, (frame) => {
        const message = this.assembler.add(frame);
        if (message !== null) this.messages.push(message);
      });
    }
  }
}

function aMessage(
  id: number,
  bytes: number,
  kind: "request" | "response" | "Delhi" | "Pune" | "ping",
): OutgoingMessage {
  const parts = [Buffer.alloc(bytes >> 1, id), Buffer.alloc(bytes - (bytes >> 1), id + 1)];
  if (kind === "ping" || kind === "request" || kind === "response") {
    return new OutgoingMessage({ type: FRAME[kind], id, parts });
  }
  return new OutgoingMessage({ type: FRAME.message, id, stream: kind, shardBytes: Math.min(bytes, 3), parts });
}

/** Writes everything that waits and gives it to a receiver. */
function drain(queue: OutgoingQueue, receiver: Receiver, batchBytes = 262_144): void {
  const writer = new FrameWriter();
  while (!queue.isEmpty) {
    queue.writeInto(writer, batchBytes);
    receiver.receive(writer.take().pieces);
  }
}

describe("what waits to be written to another node", () => {
  it("arrives whole and once, streams and small requests in order, however it is cut", () => {
    const random = new SeededRandom(5);
    const kinds = ["request", "response", "Delhi", "Pune", "ping"] as const;
    for (let run = fuzzRuns(150); run > 0; run--) {
      const queue = new OutgoingQueue();
      const writer = new FrameWriter();
      const receiver = new Receiver();
      const sent: { kind: string; bytes: number; id: number }[] = [];
      for (let id = 1; id <= 40; id++) {
        const kind = kinds[random.below(kinds.length)] ?? "request";
        const bytes =
          kind === "ping" ? 0 : random.below([10, 1000, 20_000, FRAGMENT + 2, 4 * FRAGMENT][random.below(5)] ?? 1);
        assert.ok(queue.add(aMessage(id, bytes, kind)));
        sent.push({ kind, bytes, id });
        if (random.below(4) > 0) continue;
        queue.writeInto(writer, 1 + random.below(300_000));
        receiver.receive(cut(Buffer.concat(writer.take().pieces), random));
        assert.ok(receiver.assembler.partialCount <= LIMITS.peerPartialMessagesMax);
      }
      drain(queue, receiver);
      assert.equal(queue.bytes, 0);
      assert.equal(receiver.assembler.partialCount, 0);
      assert.equal(receiver.assembler.partialBytes, 0);
      assert.equal(receiver.messages.length, sent.length);
      for (const { id, bytes } of sent) {
        const arrived = receiver.messages.find((message) => message.id === id);
        assert.ok(arrived !== undefined);
        assert.deepEqual(arrived.payload, Buffer.concat(aMessage(id, bytes, "request").parts));
      }
      const order = (filter: (entry: { kind: string; bytes: number }) => boolean): void => {
        const expected = sent.filter(filter).map(({ id }) => id);
        const wanted = new Set(expected);
        assert.deepEqual(
          receiver.messages.map(({ id }) => id).filter((id) => wanted.has(id)),
          expected,
        );
      };
      order(({ kind }) => kind === "Delhi");
      order(({ kind }) => kind === "Pune");
      order(({ kind, bytes }) => (kind === "request" || kind === "response") && bytes <= FRAGMENT);
    }
  });

  it("lets a small request pass a large one at the next fragment", () => {
    const queue = new OutgoingQueue();
    const writer = new FrameWriter();
    const receiver = new Receiver();
    queue.add(aMessage(1, LIMITS.valueBytesMax, "request"));
    queue.writeInto(writer, FRAGMENT);
    receiver.receive(writer.take().pieces);
    queue.add(aMessage(2, 100, "request"));
    queue.writeInto(writer, FRAGMENT);
    receiver.receive(writer.take().pieces);
    assert.deepEqual(
      receiver.messages.map(({ id }) => id),
      [2],
    );
    assert.ok(queue.bytes > LIMITS.valueBytesMax - 4 * FRAGMENT);
    drain(queue, receiver);
    assert.deepEqual(
      receiver.messages.map(({ id }) => id),
      [2, 1],
    );
  });

  it("gives large messages and streams equal turns while small ones keep coming", () => {
    const queue = new OutgoingQueue();
    const writer = new FrameWriter();
    const large = [
      aMessage(1, 20 * FRAGMENT, "request"),
      aMessage(2, 20 * FRAGMENT, "response"),
      aMessage(3, 20 * FRAGMENT, "Delhi"),
    ];
    for (const message of large) queue.add(message);
    for (let id = 10; id < 70; id++) {
      for (let i = 0; i < 10; i++) queue.add(aMessage(id * 100 + i, 10_000, "request"));
      queue.writeInto(writer, 2 * FRAGMENT);
      writer.take();
    }
    for (const message of large) assert.equal(message.state, "handed over");
  });

  it("keeps the messages of one stream in order behind a large one", () => {
    const queue = new OutgoingQueue();
    const receiver = new Receiver();
    queue.add(aMessage(1, 10 * FRAGMENT, "Delhi"));
    queue.add(aMessage(2, 10, "Delhi"));
    queue.add(aMessage(3, 10, "Pune"));
    drain(queue, receiver, 1000);
    assert.deepEqual(
      receiver.messages.map(({ id }) => id),
      [3, 1, 2],
    );
  });

  it("never has more unfinished than the receiver allows, and still delivers all", () => {
    const queue = new OutgoingQueue();
    const writer = new FrameWriter();
    const receiver = new Receiver();
    const count = 2 * LIMITS.peerPartialMessagesMax;
    for (let id = 0; id < count; id++) queue.add(aMessage(id, FRAGMENT + 1 + id, id % 3 === 0 ? "Delhi" : "request"));
    for (let id = 0; id < 3; id++) queue.add(aMessage(count + id, LIMITS.messageBytesMax, "response"));
    let partialMost = 0;
    while (!queue.isEmpty) {
      queue.writeInto(writer, FRAGMENT);
      receiver.receive(writer.take().pieces);
      partialMost = Math.max(partialMost, receiver.assembler.partialCount);
    }
    assert.equal(receiver.messages.length, count + 3);
    assert.ok(partialMost > 4 && partialMost <= LIMITS.peerPartialMessagesMax / 2, `${partialMost} at once`);
  });

  it("withdraws a request that is not wholly handed over, and the receiver forgets its beginning", () => {
    const queue = new OutgoingQueue();
    const writer = new FrameWriter();
    const receiver = new Receiver();
    const [waiting, begun, whole] = [
      aMessage(1, 50, "request"),
      aMessage(2, 5 * FRAGMENT, "request"),
      aMessage(3, 50, "request"),
    ];
    queue.add(begun);
    queue.writeInto(writer, 1);
    receiver.receive(writer.take().pieces);
    queue.add(whole);
    queue.writeInto(writer, 1);
    receiver.receive(writer.take().pieces);
    queue.add(waiting);
    assert.equal(receiver.assembler.partialCount, 1);
    assert.equal(queue.cancel(waiting), true);
    assert.equal(queue.cancel(begun), true);
    assert.equal(queue.cancel(begun), true);
    assert.equal(queue.cancel(whole), false);
    assert.equal(queue.bytes, 0);
    drain(queue, receiver);
    assert.equal(receiver.assembler.partialCount, 0);
    assert.equal(receiver.assembler.partialBytes, 0);
    assert.deepEqual(
      receiver.messages.map(({ id }) => id),
      [3],
    );
  });

  it("writes nothing but the handshake while that is all that is allowed", () => {
    const queue = new OutgoingQueue();
    const writer = new FrameWriter();
    queue.add(aMessage(1, 50, "request"));
    queue.add(new OutgoingMessage({ type: FRAME.hello, id: 0, parts: [Buffer.from("{}")] }));
    queue.writeUrgentInto(writer);
    assert.equal(writer.frames, 1);
  });
});

describe("the assembler of fragments", () => {
  const first = (totalBytes: number, bytes: number, id = 1): Frame => {
    const payload = Buffer.alloc(4 + bytes);
    payload.writeUInt32LE(totalBytes, 0);
    return { type: FRAME.request, id, flags: FLAG.first, shardBytes: 0, payload };
  };
  const next = (bytes: number, flags: number, id = 1): Frame => ({
    type: FRAME.request,
    id,
    flags,
    shardBytes: 0,
    payload: Buffer.alloc(bytes),
  });

  it("refuses fragments that do not fit together", () => {
    const wrong: [string, Frame[]][] = [
      ["no beginning", [next(10, FLAG.last)]],
      ["two beginnings", [first(100, 10), first(100, 10)]],
      ["too few bytes at the end", [first(100, 10), next(10, FLAG.last)]],
      ["all bytes before the end", [first(100, 10), next(90, 0)]],
      ["too many bytes", [first(100, 10), next(91, FLAG.last)]],
      ["an empty fragment", [first(100, 10), next(0, 0)]],
      ["a beginning with everything", [first(10, 10)]],
      ["a beginning without anything", [{ ...first(10, 0), payload: Buffer.alloc(4) }]],
      ["a total over the limit", [first(LIMITS.messageBytesMax + 1, 10)]],
      ["a total of 2^32-1", [first(0xffff_ffff, 10)]],
      ["unknown flags", [{ ...next(10, 8) }]],
      ["first and aborted", [{ ...next(0, FLAG.first | FLAG.aborted) }]],
      ["an aborted message with bytes", [first(100, 10), next(1, FLAG.aborted)]],
      ["an abortion of nothing", [next(0, FLAG.aborted)]],
      ["pieces of a ping", [{ ...first(100, 10), type: FRAME.ping }]],
      ["a request with a shard", [{ ...next(10, WHOLE), shardBytes: 1 }]],
      ["a shard longer than the message", [{ ...next(10, WHOLE), type: FRAME.message, shardBytes: 11 }]],
    ];
    for (const [name, frames] of wrong) {
      const assembler = new MessageAssembler();
      assert.throws(() => frames.forEach((frame) => assembler.add(frame)), ProtocolError, name);
    }
  });

  it("bounds what is unfinished, in number and in bytes", () => {
    const many = new MessageAssembler();
    for (let id = 0; id < LIMITS.peerPartialMessagesMax; id++) many.add(first(100, 10, id));
    assert.throws(() => many.add(first(100, 10, 1000)), ProtocolError);
    const large = new MessageAssembler();
    const fit = Math.floor(LIMITS.peerPartialBytesMax / LIMITS.messageBytesMax);
    for (let id = 0; id < fit; id++) large.add(first(LIMITS.messageBytesMax, 10, id));
    assert.throws(() => large.add(first(LIMITS.messageBytesMax, 10, 1000)), ProtocolError);
  });

  it("throws nothing but ProtocolError on frames in any order, and keeps its bounds", () => {
    const random = new SeededRandom(9);
    const types = Object.values(FRAME);
    let assembled = 0;
    for (let run = fuzzRuns(2000); run > 0; run--) {
      const assembler = new MessageAssembler();
      for (let i = 0; i < 10; i++) {
        const payload =
          random.below(2) === 0 ? first(random.below(60), random.below(30)).payload : noise(random, random.below(30));
        const type = types[random.below(types.length)] ?? FRAME.request;
        const frame = {
          type,
          id: random.below(3),
          flags: random.below(5),
          shardBytes: random.below(20) === 0 ? 1 : 0,
          payload,
        };
        try {
          if (assembler.add(frame) !== null) assembled++;
        } catch (error) {
          assert.ok(error instanceof ProtocolError, String(error));
          break;
        }
        assert.ok(assembler.partialBytes <= LIMITS.peerPartialBytesMax);
      }
    }
    assert.ok(assembled > 0, "some messages are assembled");
  });
});

describe("the frame writer", () => {
  it("does not touch bytes that it has handed out", () => {
    const writer = new FrameWriter();
    const taken: { pieces: readonly Buffer[]; copy: Buffer }[] = [];
    for (let i = 0; i < 2000; i++) {
      writer.frame({ type: FRAME.request, id: i, flags: WHOLE, shardBytes: 0 }, [Buffer.alloc(i * 17, i)]);
      const { pieces } = writer.take();
      taken.push({ pieces, copy: Buffer.concat(pieces) });
    }
    for (const [i, { pieces, copy }] of taken.entries()) {
      assert.ok(Buffer.concat(pieces).equals(copy));
      assert.ok(copy.equals(frameBytes({ type: FRAME.request, id: i, payload: Buffer.alloc(i * 17, i) })));
    }
  });
});
