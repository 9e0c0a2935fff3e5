import { SeededRandom } from "../../src/base/random.ts";

/** `KV_FUZZ=10` makes every fuzz test ten times as thorough. */
export function fuzzRuns(runs: number): number {
  const factor = Number(process.env["KV_FUZZ"] ?? "1");
  return Math.max(1, Math.round(runs * (factor > 0 ? factor : 1)));
}

/**
 * `count` byte strings made from `valid` ones: bits flipped, cut off, bytes inserted, removed and doubled, numbers set to
 * their extremes, two of them joined in the middle, and plain noise. Replayable: the same every time.
 */
export function* mutations(valid: readonly Buffer[], count: number, seed = 1): Generator<Buffer> {
  const random = new SeededRandom(seed);
  const pick = (): Buffer => valid[random.below(valid.length)] ?? Buffer.alloc(0);
  for (let i = 0; i < count; i++) {
    let bytes: Buffer = Buffer.from(pick());
    for (let left = 1 + random.below(3); left > 0; left--) bytes = mutate(bytes, random, pick);
    yield bytes;
  }
}

const EXTREMES = [0, 1, 0x7f, 0xff, 0x7fff, 0xffff, 0x7fff_ffff, 0xffff_ffff];

function mutate(bytes: Buffer, random: SeededRandom, pick: () => Buffer): Buffer {
  const at = random.below(bytes.length + 1);
  switch (random.below(8)) {
    case 0:
      return bytes.subarray(0, at);
    case 1:
      return Buffer.concat([bytes.subarray(0, at), noise(random, 1 + random.below(8)), bytes.subarray(at)]);
    case 2:
      return Buffer.concat([bytes.subarray(0, at), bytes.subarray(Math.min(bytes.length, at + 1 + random.below(4)))]);
    case 3: {
      const other = pick();
      return Buffer.concat([bytes.subarray(0, at), other.subarray(random.below(other.length + 1))]);
    }
    case 4:
      return noise(random, random.below(200));
    case 5: {
      if (bytes.length < 4) return bytes;
      bytes.writeUInt32LE(EXTREMES[random.below(EXTREMES.length)] ?? 0, random.below(bytes.length - 3));
      return bytes;
    }
    default: {
      if (at < bytes.length) bytes[at] = (bytes[at] ?? 0) ^ (1 << random.below(8));
      return bytes;
    }
  }
}

export function noise(random: SeededRandom, length: number): Buffer {
  return Buffer.from(Array.from({ length }, () => random.below(256)));
}
