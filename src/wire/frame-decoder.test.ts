import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { fuzzRuns, mutations, noise } from "../../tests/support/byte-mutations.ts";
import { cut, decodeChunks, forge, frameBytes, type Decoded } from "../../tests/support/wire-frames.ts";
import { crc32 } from "../base/crc32.ts";
import { SeededRandom } from "../base/random.ts";
import { FLAG, FRAME, FRAME_HEADER_BYTES, FRAME_MAGIC, PROTOCOL_VERSION, WHOLE, type Frame } from "./frame.ts";

const FRAME_BYTES_MAX = 4096;
const TYPES = Object.values(FRAME);

function someFrames(random: SeededRandom, count: number): Buffer[] {
  return Array.from({ length: count }, () => {
    const type = TYPES[random.below(TYPES.length)] ?? FRAME.ping;
    const payload = noise(random, random.below(random.below(4) === 0 ? 600 : 30));
    const flags = [WHOLE, FLAG.first, 0, FLAG.last][random.below(4)] ?? WHOLE;
    return frameBytes({ type, id: random.below(0xffff_ffff), flags, shardBytes: random.below(256), payload });
  });
}

/** A second decoder, written as plainly as possible, over all bytes at once. */
function decodePlainly(bytes: Buffer): Decoded {
  const frames: Frame[] = [];
  for (let at = 0; bytes.length - at >= FRAME_HEADER_BYTES;) {
    const header = bytes.subarray(at, at + FRAME_HEADER_BYTES);
    const length = header.readUInt32LE(4);
    const type = TYPES.find((known) => known === header[3]);
    const isHeaderGood =
      header.readUInt16LE(0) === FRAME_MAGIC &&
      header[2] === PROTOCOL_VERSION &&
      header.readUInt32LE(20) === crc32(header.subarray(0, 20)) &&
      length >= FRAME_HEADER_BYTES &&
      length <= FRAME_BYTES_MAX &&
      header.readUInt16LE(14) === 0;
    if (!isHeaderGood || type === undefined) return { frames, error: "bad header" };
    if (bytes.length - at < length) break;
    const payload = bytes.subarray(at + FRAME_HEADER_BYTES, at + length);
    if (crc32(payload) !== header.readUInt32LE(16)) return { frames, error: "bad payload" };
    frames.push({ type, id: header.readUInt32LE(8), flags: header[12] ?? 0, shardBytes: header[13] ?? 0, payload });
    at += length;
  }
  return { frames, error: null };
}

describe("the frame decoder", () => {
  it("gives the same frames however the bytes are cut", () => {
    const random = new SeededRandom(1);
    for (let run = fuzzRuns(4000); run > 0; run--) {
      const frames = someFrames(random, 1 + random.below(5));
      const bytes = Buffer.concat(frames);
      const whole = decodeChunks([bytes], FRAME_BYTES_MAX);
      assert.equal(whole.error, null);
      assert.equal(whole.frames.length, frames.length);
      assert.deepEqual(decodeChunks(cut(bytes, random), FRAME_BYTES_MAX), whole);
    }
  });

  it("agrees with a plain decoder on damaged streams, and throws nothing but ProtocolError", () => {
    const random = new SeededRandom(2);
    const streams = Array.from({ length: 100 }, () => Buffer.concat(someFrames(random, 1 + random.below(4))));
    const total = fuzzRuns(20_000);
    let refused = 0;
    for (const bytes of mutations(streams, total, 3)) {
      const fast = decodeChunks(cut(bytes, random), FRAME_BYTES_MAX);
      const plain = decodePlainly(bytes);
      assert.deepEqual(fast.frames, plain.frames);
      assert.equal(fast.error === null, plain.error === null);
      if (fast.error !== null) refused++;
    }
    assert.ok(refused > total / 4, `only ${refused} of ${total} streams were refused`);
  });

  it("rejects a frame in which any one bit is flipped", () => {
    const bytes = frameBytes({ type: FRAME.request, id: 77, payload: Buffer.from("payload of a request") });
    for (let bit = 0; bit < bytes.length * 8; bit++) {
      const flipped = Buffer.from(bytes);
      flipped[bit >> 3] = (flipped[bit >> 3] ?? 0) ^ (1 << (bit & 7));
      const { frames, error } = decodeChunks([flipped], FRAME_BYTES_MAX);
      assert.equal(frames.length, 0, `bit ${bit}`);
      assert.notEqual(error, null, `bit ${bit}`);
    }
  });

  it("takes no strict prefix for a frame", () => {
    const bytes = frameBytes({ type: FRAME.message, payload: Buffer.from("some bytes") });
    for (let length = 0; length < bytes.length; length++) {
      assert.deepEqual(decodeChunks([bytes.subarray(0, length)], FRAME_BYTES_MAX), { frames: [], error: null });
    }
  });

  it("refuses impossible lengths, versions, types and reserved bytes although the checksums are right", () => {
    const bytes = frameBytes({ type: FRAME.ping, payload: Buffer.from("x") });
    const forgeries: [string, (header: Buffer) => void][] = [
      ["length 0", (header) => header.writeUInt32LE(0, 4)],
      ["length 23", (header) => header.writeUInt32LE(FRAME_HEADER_BYTES - 1, 4)],
      ["length one over the limit", (header) => header.writeUInt32LE(FRAME_BYTES_MAX + 1, 4)],
      ["length 2^32-1", (header) => header.writeUInt32LE(0xffff_ffff, 4)],
      ["version 255", (header) => header.writeUInt8(255, 2)],
      ["version 0", (header) => header.writeUInt8(0, 2)],
      ["type 0", (header) => header.writeUInt8(0, 3)],
      ["type 255", (header) => header.writeUInt8(255, 3)],
      ["another magic", (header) => header.writeUInt16LE(0x4b56, 0)],
      ["reserved bytes", (header) => header.writeUInt16LE(1, 14)],
    ];
    for (const [name, change] of forgeries) {
      const { frames, error } = decodeChunks([forge(bytes, change)], FRAME_BYTES_MAX);
      assert.equal(frames.length, 0, name);
      assert.notEqual(error, null, name);
    }
    assert.equal(decodeChunks([forge(bytes, () => {})], FRAME_BYTES_MAX).frames.length, 1);
  });

  it("allocates nothing for a frame that is too long", () => {
    const bytes = forge(frameBytes({ type: FRAME.request }), (header) => header.writeUInt32LE(0x7fff_ffff, 4));
    const before = process.memoryUsage().arrayBuffers;
    for (let i = 0; i < 1000; i++) decodeChunks([bytes], FRAME_BYTES_MAX);
    const grown = process.memoryUsage().arrayBuffers - before;
    assert.ok(grown < 1_000_000, `${grown} bytes`);
  });

  it("hands out nothing more after a fault, and nothing of a chunk after it was stopped", () => {
    const good = frameBytes({ type: FRAME.ping });
    const bad = forge(good, (header) => header.writeUInt8(0, 3));
    assert.equal(decodeChunks([Buffer.concat([good, bad, good]), good], FRAME_BYTES_MAX).frames.length, 1);
  });
});
