import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { EntryBatch } from "./entry-batch.ts";
import { dataEntry, epochStartEntry, LOG_DIRECTORY, LogFixture, readAll } from "../../tests/support/log-fixture.ts";
import { SimCrashError } from "../../tests/support/sim-disk.ts";
import { clearMutants, plantMutant } from "../base/mutants.ts";
import { encodeEntry } from "../model/entry.ts";
import { LogReader } from "./log-reader.ts";

type Step =
  | { readonly kind: "write"; readonly count: number; readonly bytes: number; readonly newEpoch: boolean }
  | { readonly kind: "flush" }
  | { readonly kind: "wait"; readonly ms: number }
  | { readonly kind: "truncate"; readonly share: number }
  | { readonly kind: "trim"; readonly share: number }
  | { readonly kind: "restart"; readonly ahead: number }
  | { readonly kind: "close" }
  /** The next flush fails, or the next write ends early; then the process dies. */
  | { readonly kind: "fault"; readonly isFlush: boolean; readonly share: number }
  | { readonly kind: "death"; readonly isPowerCut: boolean; readonly changes: number };

const step: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 8,
    arbitrary: fc.record({
      kind: fc.constant("write" as const),
      count: fc.integer({ min: 1, max: 6 }),
      bytes: fc.oneof(fc.integer({ min: 0, max: 60 }), fc.integer({ min: 0, max: 1500 }), fc.constant(9000)),
      newEpoch: fc.boolean(),
    }),
  },
  { weight: 6, arbitrary: fc.constant({ kind: "flush" as const }) },
  { weight: 6, arbitrary: fc.record({ kind: fc.constant("wait" as const), ms: fc.integer({ min: 0, max: 12 }) }) },
  {
    weight: 2,
    arbitrary: fc.record({ kind: fc.constant("truncate" as const), share: fc.double({ min: 0, max: 1, noNaN: true }) }),
  },
  {
    weight: 2,
    arbitrary: fc.record({ kind: fc.constant("trim" as const), share: fc.double({ min: 0, max: 1, noNaN: true }) }),
  },
  {
    weight: 1,
    arbitrary: fc.record({ kind: fc.constant("restart" as const), ahead: fc.integer({ min: -20, max: 20 }) }),
  },
  { weight: 1, arbitrary: fc.constant({ kind: "close" as const }) },
  {
    weight: 1,
    arbitrary: fc.record({
      kind: fc.constant("fault" as const),
      isFlush: fc.boolean(),
      share: fc.double({ min: 0, max: 0.99, noNaN: true }),
    }),
  },
  {
    weight: 3,
    arbitrary: fc.record({
      kind: fc.constant("death" as const),
      isPowerCut: fc.boolean(),
      changes: fc.integer({ min: 0, max: 14 }),
    }),
  },
);

/** What the log may hold: entries behind `base`, of which the first `certain` must be there. */
interface Model {
  readonly base: number;
  readonly entries: readonly Buffer[];
  readonly certain: number;
}

/** Drives a log on a simulated disk beside a plain array. */
class Driver {
  readonly fixture: LogFixture;
  readonly reader: { current: LogReader | null } = { current: null };
  model: Model = { base: 0, entries: [], certain: 0 };
  /** What else the log may be after a death in the middle of a call. */
  alternative: Model | null = null;
  epoch = 0;
  #fill = 0;
  #flushesRunning = 0;

  constructor(seed: number) {
    this.fixture = new LogFixture({
      seed,
      sizes: { segmentBytesFirst: 4096, segmentBytesMax: 8192, tailBytesMax: 1500 },
    });
    this.fixture.disk.faults.flushMs = () => this.fixture.random.below(8);
    this.fixture.open();
  }

  get last(): number {
    return this.model.base + this.model.entries.length;
  }

  run(next: Step): void {
    if (next.kind === "write") this.write(next);
    else if (next.kind === "flush") this.flush();
    else if (next.kind === "wait") this.fixture.timers.advance(next.ms);
    else if (next.kind === "truncate") this.truncate(next.share);
    else if (next.kind === "trim") this.trim(next.share);
    else if (next.kind === "restart") this.restart(next.ahead);
    else if (next.kind === "fault") this.breakDisk(next);
    else if (next.kind === "death") this.fixture.disk.crashAfterChanges(next.changes);
    else this.close();
  }

  breakDisk({ isFlush, share }: Extract<Step, { kind: "fault" }>): void {
    const { faults } = this.fixture.disk;
    if (isFlush) {
      faults.flush = () => {
        faults.flush = null;
        return "EIO";
      };
      return;
    }
    faults.write = (_path, lengthBytes) => {
      faults.write = null;
      return { code: "EIO", writtenBytes: Math.floor(share * lengthBytes) };
    };
  }

  close(): void {
    this.settle();
    this.fixture.log.close();
    this.reopen(false);
  }

  trim(share: number): void {
    this.fixture.log.trimThrough(this.model.base + Math.floor(share * this.model.certain));
  }

  write(wanted: Extract<Step, { kind: "write" }>): void {
    const { log } = this.fixture;
    const starts = this.epoch !== log.lastEpoch.epoch || this.epoch === 0 || wanted.newEpoch;
    if (starts) this.epoch++;
    const entries = Array.from({ length: wanted.count }, (_, index) => {
      const sequence = this.last + 1 + index;
      if (starts && index === 0) return epochStartEntry(sequence, this.epoch);
      return dataEntry(sequence, this.epoch, { bytes: wanted.bytes, fill: this.#fill++ % 256 });
    });
    const bytes = entries.reduce((sum, entry) => sum + entry.length, 0);
    this.alternative = { ...this.model, entries: [...this.model.entries, ...entries] };
    this.fixture.waitForRoom(bytes);
    if (log.roomFor(bytes) !== "yes") throw new Error("an empty disk has room");
    log.writeBatch(EntryBatch.of(entries), {
      flushedSequence: log.durableSequence,
      commitSequence: log.durableSequence,
    });
    this.model = this.alternative;
    this.alternative = null;
    assert.equal(log.lastSequence, this.last);
  }

  flush(): void {
    const { log } = this.fixture;
    const through = this.last;
    this.#flushesRunning++;
    log.flush((sequence) => {
      this.#flushesRunning--;
      assert.ok(sequence >= through || sequence >= log.durableSequence);
      this.model = { ...this.model, certain: sequence - this.model.base };
    });
  }

  truncate(share: number): void {
    this.settle();
    const kept = Math.floor(share * this.model.entries.length);
    const sequence = Math.max(this.model.base + kept, this.fixture.log.startSequence - 1);
    const count = sequence - this.model.base;
    const expected = Buffer.concat(this.model.entries.slice(count));
    this.model = { ...this.model, certain: Math.min(count, this.model.certain) };
    const cut = this.fixture.log.truncateAfter(sequence);
    assert.ok(cut.equals(expected), "a cut returns what it cut");
    this.model = {
      ...this.model,
      entries: this.model.entries.slice(0, count),
      certain: this.fixture.log.durableSequence - this.model.base,
    };
    this.noteEpoch();
  }

  restart(ahead: number): void {
    this.settle();
    const base = Math.max(0, this.last + ahead);
    const epochs =
      base === 0
        ? []
        : [{ epoch: this.epoch + 1, term: "00000000000000ff", firstSequence: base, versionBase: 0, lineage: 0 }];
    this.alternative = { base, entries: [], certain: 0 };
    this.fixture.log.restart({ sequence: base, epochs });
    this.model = this.alternative;
    this.alternative = null;
    this.noteEpoch();
  }

  settle(): void {
    for (let i = 0; i < 1000 && this.#flushesRunning > 0; i++) this.fixture.timers.advance(1);
  }

  noteEpoch(): void {
    this.reader.current?.close();
    this.reader.current = null;
    this.epoch = Math.max(this.epoch, this.fixture.log.lastEpoch.epoch);
  }

  /** After a death: the log is a legal remainder of what was written, and from now on that is certain. */
  reopen(isPowerCut: boolean): void {
    this.#flushesRunning = 0;
    this.fixture.fatal = [];
    this.fixture.disk.faults.flush = null;
    this.fixture.disk.faults.write = null;
    const recovery = isPowerCut ? this.fixture.powerCut() : this.fixture.crash();
    assert.equal(recovery.corruption, null);
    assert.deepEqual(this.fixture.fatal, []);
    const { log } = this.fixture;
    const found = readAll(log);
    const candidates = this.alternative === null ? [this.model] : [this.alternative, this.model];
    const legal = candidates.find((model) => isLegal(model, log.startSequence, found));
    assert.ok(legal !== undefined, `${log.startSequence}…${log.lastSequence} is no legal remainder`);
    const entries = legal.entries.slice(0, log.lastSequence - legal.base);
    this.model = { base: legal.base, entries, certain: entries.length };
    this.alternative = null;
    assert.equal(log.durableSequence, log.lastSequence);
    this.noteEpoch();
  }

  /** The applier's view: one reader that lives on, and reads what is certain. */
  checkReader(): void {
    const { log, disk } = this.fixture;
    this.reader.current ??= new LogReader(disk, LOG_DIRECTORY);
    const through = log.durableSequence;
    const from = Math.max(log.startSequence, through - 5);
    const got = [...this.reader.current.read(from, through)].map(({ lengthBytes: _, ...entry }) => encodeEntry(entry));
    assert.deepEqual(got, this.model.entries.slice(from - 1 - this.model.base, through - this.model.base));
  }
}

function isLegal(model: Model, start: number, found: readonly Buffer[]): boolean {
  const skipped = start - 1 - model.base;
  const last = skipped + found.length;
  const isInside = skipped >= 0 && skipped <= model.entries.length;
  if (!isInside || last < model.certain || last > model.entries.length) return false;
  return found.every((entry, index) => model.entries[skipped + index]?.equals(entry) === true);
}

function drive(seed: number, steps: readonly Step[]): void {
  const driver = new Driver(seed);
  let death: Extract<Step, { kind: "death" }> | null = null;
  for (const next of [...steps, { kind: "death", isPowerCut: true, changes: 0 } as const, { kind: "flush" } as const]) {
    try {
      if (next.kind === "death") death = next;
      driver.run(next);
      if (driver.fixture.fatal.length > 0 || driver.fixture.disk.isDead) throw new Error("the storage has failed");
      if (death === null) driver.checkReader();
    } catch (error) {
      const hasDied = driver.fixture.disk.isDead || driver.fixture.fatal.length > 0;
      if (!hasDied) throw error;
      const { isPowerCut } = death ?? { isPowerCut: seed % 2 === 0 };
      if (death !== null && death.changes % 3 === 0) dieAgainWhileOpening(driver, death.changes, isPowerCut);
      death = null;
      driver.reopen(isPowerCut);
      driver.checkReader();
      // What recovery calls durable must be so: the power goes at once.
      driver.reopen(true);
    }
  }
}

function dieAgainWhileOpening(driver: Driver, changes: number, isPowerCut: boolean): void {
  const { fixture } = driver;
  fixture.timers.clear();
  if (isPowerCut) fixture.disk.powerCut();
  else fixture.disk.crash();
  fixture.disk.crashAfterChanges(changes);
  try {
    fixture.open();
  } catch (error) {
    const isDiskFault = error instanceof Error && "code" in error && error.code === "EIO";
    if (!(error instanceof SimCrashError) && !isDiskFault) throw error;
  }
}

const property = fc.property(
  fc.integer({ min: 0, max: 2 ** 31 }),
  fc.array(step, { maxLength: 60, size: "max" }),
  (seed, steps) => drive(seed, steps),
);
const seed = Number(process.env["KV_LOG_SEED"] ?? 20_001);

test("whatever happens, what was reported durable is there, and what is there is a prefix of what was written", () => {
  fc.assert(property, { seed, numRuns: Number(process.env["KV_LOG_RUNS"] ?? 300) });
});

for (const id of ["M65", "M92"]) {
  test(`that property finds ${id} by itself`, () => {
    plantMutant(id);
    try {
      const { failed, counterexample, errorInstance } = fc.check(property, { seed, numRuns: 300, endOnFailure: true });
      assert.ok(failed && counterexample !== null, "a counterexample was found");
      assert.ok(errorInstance instanceof assert.AssertionError, String(errorInstance));
    } finally {
      clearMutants();
    }
  });
}
