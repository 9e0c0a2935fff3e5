import type { SeededRandom } from "../../src/base/random.ts";

const CHUNK_BYTES = 4096;
const SECTOR_BYTES = 512;

/** A file's bytes in chunks, holes left out: a zeroed file of 64 MiB costs nothing. */
export class SparseBytes {
  readonly #chunks = new Map<number, Buffer>();
  sizeBytes = 0;

  read(target: Uint8Array, position: number): number {
    const count = Math.max(0, Math.min(target.length, this.sizeBytes - position));
    this.#pieces(position, count, (index, from, length, done) => {
      const chunk = this.#chunks.get(index);
      if (chunk === undefined) target.fill(0, done, done + length);
      else target.set(chunk.subarray(from, from + length), done);
    });
    return count;
  }

  write(bytes: Uint8Array, position: number): void {
    this.sizeBytes = Math.max(this.sizeBytes, position + bytes.length);
    this.#pieces(position, bytes.length, (index, from, length, done) => {
      let chunk = this.#chunks.get(index);
      if (chunk === undefined) this.#chunks.set(index, (chunk = Buffer.alloc(CHUNK_BYTES)));
      chunk.set(bytes.subarray(done, done + length), from);
    });
  }

  writeZeros(position: number, lengthBytes: number): void {
    this.sizeBytes = Math.max(this.sizeBytes, position + lengthBytes);
    this.#clear(position, lengthBytes);
  }

  truncate(sizeBytes: number): void {
    if (sizeBytes < this.sizeBytes) this.#clear(sizeBytes, this.sizeBytes - sizeBytes);
    this.sizeBytes = sizeBytes;
  }

  all(): Buffer {
    const bytes = Buffer.alloc(this.sizeBytes);
    this.read(bytes, 0);
    return bytes;
  }

  clone(): SparseBytes {
    const copy = new SparseBytes();
    for (const [index, chunk] of this.#chunks) copy.#chunks.set(index, Buffer.from(chunk));
    copy.sizeBytes = this.sizeBytes;
    return copy;
  }

  #clear(position: number, lengthBytes: number): void {
    if (this.#chunks.size === 0) return;
    this.#pieces(position, lengthBytes, (index, from, length) => {
      if (length === CHUNK_BYTES) this.#chunks.delete(index);
      else this.#chunks.get(index)?.fill(0, from, from + length);
    });
  }

  #pieces(
    position: number,
    lengthBytes: number,
    visit: (index: number, from: number, length: number, done: number) => void,
  ): void {
    for (let done = 0; done < lengthBytes;) {
      const from = (position + done) % CHUNK_BYTES;
      const length = Math.min(CHUNK_BYTES - from, lengthBytes - done);
      visit((position + done - from) / CHUNK_BYTES, from, length, done);
      done += length;
    }
  }
}

type Change =
  | { readonly kind: "write"; readonly bytes: Buffer; readonly position: number }
  | { readonly kind: "zeros"; readonly lengthBytes: number; readonly position: number }
  | { readonly kind: "truncate"; readonly sizeBytes: number };

/** One file of a simulated disk: what processes see, what a power cut leaves, and the changes in between. */
export class SimInode {
  visible: SparseBytes = new SparseBytes();
  #flushed = new SparseBytes();
  #pending: { readonly serial: number; readonly change: Change }[] = [];
  #serial = 0;

  /** Names everything changed so far: what a flush that starts now will cover. */
  get serial(): number {
    return this.#serial;
  }

  change(change: Change): void {
    apply(this.visible, change);
    this.#pending.push({ serial: ++this.#serial, change });
  }

  /** A flush that covers everything up to `serial` succeeded. */
  flushed(serial: number): void {
    for (const pending of this.#pending) if (pending.serial <= serial) apply(this.#flushed, pending.change);
    this.forget(serial);
  }

  /** A flush failed: the kernel calls the pages clean, and they never reach the disk unless written again. */
  forget(serial: number): void {
    this.#pending = this.#pending.filter((pending) => pending.serial > serial);
  }

  /** The size and content are on the disk, whatever came before. */
  settle(): void {
    this.#flushed = this.visible.clone();
    this.#pending = [];
  }

  /** Keeps what was flushed and a random part of the rest: a prefix or any subset, single writes torn. */
  powerCut(random: SeededRandom): void {
    const keepsOrder = random.below(2) === 0;
    const likelihood = random.next();
    for (const { change } of this.#pending) {
      const isKept = random.next() < likelihood;
      if (isKept) apply(this.#flushed, change);
      else if (random.below(2) === 0) tear(this.#flushed, change, random);
      if (!isKept && keepsOrder) break;
    }
    this.#pending = [];
    this.visible = this.#flushed.clone();
  }

  flipBit(offset: number, bit: number): void {
    for (const bytes of [this.visible, this.#flushed]) {
      if (offset >= bytes.sizeBytes) continue;
      const one = Buffer.alloc(1);
      bytes.read(one, offset);
      one[0] = (one[0] ?? 0) ^ (1 << bit);
      bytes.write(one, offset);
    }
  }

  clone(): SimInode {
    const copy = new SimInode();
    copy.visible = this.visible.clone();
    copy.#flushed = this.#flushed.clone();
    copy.#pending = [...this.#pending];
    copy.#serial = this.#serial;
    return copy;
  }
}

function apply(bytes: SparseBytes, change: Change): void {
  if (change.kind === "write") bytes.write(change.bytes, change.position);
  else if (change.kind === "zeros") bytes.writeZeros(change.position, change.lengthBytes);
  else bytes.truncate(change.sizeBytes);
}

/** A size changes as a whole or not; data arrive up to some byte, or in some of their sectors. */
function tear(bytes: SparseBytes, change: Change, random: SeededRandom): void {
  if (change.kind === "truncate") return;
  if (change.kind === "zeros") {
    bytes.writeZeros(change.position, random.below(change.lengthBytes + 1));
    return;
  }
  const { bytes: data, position } = change;
  if (random.below(2) === 0) {
    bytes.write(data.subarray(0, random.below(data.length + 1)), position);
    return;
  }
  for (let at = 0; at < data.length;) {
    const end = Math.min(data.length, at + SECTOR_BYTES - ((position + at) % SECTOR_BYTES));
    if (random.below(2) === 0) bytes.write(data.subarray(at, end), position + at);
    at = end;
  }
}
