import assert from "node:assert/strict";
import { describe, test } from "node:test";
import fc from "fast-check";
import { fuzzRuns, mutations } from "../../tests/support/byte-mutations.ts";
import { ProtocolError } from "../wire/protocol-error.ts";
import type { Leadership } from "../model/leadership.ts";
import type { StoreRef } from "../model/position.ts";
import { decodeEpochs, decodeLeadership, decodeMessage, isMessageType } from "./message-codec.ts";
import type { EpochOfBase, LogEnd, MessageHeaders, MessageType } from "./messages.ts";

const PLAIN = { noNullPrototype: true } as const;
const EPOCH_MAX = 0xff00_0000;
const BODY = Buffer.from("body");

const n = fc.maxSafeNat();
const n32 = fc.integer({ min: 0, max: 0xffff_ffff });
const epoch = fc.integer({ min: 0, max: EPOCH_MAX });
const truth = fc.boolean();
const term = fc.uint8Array({ minLength: 8, maxLength: 8 }).map((bytes) => Buffer.from(bytes).toString("hex"));
const text = fc.string({ unit: "grapheme", maxLength: 30 });
/** A row's key travels as one character a byte. */
const binary = fc.uint8Array({ maxLength: 30 }).map((bytes) => Buffer.from(bytes).toString("latin1"));
const store: fc.Arbitrary<StoreRef> = fc.record({ node: text, store: text, generation: n32 }, PLAIN);
const leadership: fc.Arbitrary<Leadership> = fc.record(
  {
    epoch,
    term,
    leader: store,
    lineage: n32,
    inSync: fc.array(fc.record({ node: text, store: fc.option(text), generation: n32 }, PLAIN), {
      minLength: 1,
      maxLength: 3,
    }),
    setVersion: n,
  },
  PLAIN,
);
const logEnd: { [Field in keyof LogEnd]: fc.Arbitrary<LogEnd[Field]> } = {
  lastEpoch: epoch,
  lastTerm: term,
  lastSequence: n,
};
const stream = { sid: text, epoch };

const HEADERS: { readonly [Type in MessageType]: fc.Arbitrary<MessageHeaders[Type]> } = {
  STATE_QUERY: fc.record({ id: n }, PLAIN),
  STATE: fc.record(
    {
      ...logEnd,
      id: n,
      store,
      seenEpoch: epoch,
      seenTerm: term,
      leadership: fc.option(leadership),
      role: fc.constantFrom("leader", "replica", "none"),
      complete: truth,
      recovered: truth,
      inConflict: truth,
    },
    PLAIN,
  ),
  HELLO: fc.record({ ...logEnd, greeting: n, store, boot: text, epoch, term, complete: truth }, PLAIN),
  WELCOME: fc.record({ sid: text, greeting: n, leadership, boot: text }, PLAIN),
  PULL: fc.record(
    {
      ...stream,
      fromSeq: n,
      lastEpoch: epoch,
      lastTerm: term,
      durable: n,
      complete: truth,
      echo: n,
      maxBytes: n,
      waitMs: n,
      knownCommit: n,
      room: n,
    },
    PLAIN,
  ),
  ENTRIES: fc.record(
    { ...stream, beacon: n, after: n, commit: n, leaseOk: truth, lastEcho: n, logEnd: n, logStart: n },
    PLAIN,
  ),
  HB: fc.record({ ...stream, beacon: n, commit: n, leaseOk: truth, lastEcho: n, logEnd: n, leadership }, PLAIN),
  HBACK: fc.record({ ...stream, durable: n, echo: n, room: n }, PLAIN),
  DIVERGED: fc.record({ ...stream, dEpoch: epoch, dTerm: term, dEndSeq: n }, PLAIN),
  SNAPSHOT_NEEDED: fc.record({ ...stream, logStart: n }, PLAIN),
  NOT_LEADER: fc.record({ seenEpoch: epoch, leadership: fc.option(leadership) }, PLAIN),
  LEADING: fc.record({ leadership }, PLAIN),
  REFUSED: fc.record({ code: text, reason: text }, PLAIN),
  FETCH: fc.record({ ...logEnd, id: n }, PLAIN),
  FETCHED: fc.record({ id: n, after: n, logEnd: n, isPrefix: truth }, PLAIN),
  GET_RANGE: fc.record({ sid: text, space: n, after: binary, base: fc.option(n) }, PLAIN),
  RANGE: fc.record(
    { sid: text, space: n, after: binary, lastKey: fc.option(binary), mayHoldThrough: n, base: n, logClockMs: n },
    PLAIN,
  ),
  STEP_DOWN: fc.record({ id: n, epoch }, PLAIN),
  STEPPED_DOWN: fc.record({ ...logEnd, id: n }, PLAIN),
  LEAVING: fc.record({ boot: text }, PLAIN),
  HAND_OVER: fc.record({ id: n }, PLAIN),
  HANDED_OVER: fc.record({ id: n, refusal: fc.option(text, { nil: null }) }, PLAIN),
  STORE_LEADERSHIP: fc.record({ id: n, leadership }, PLAIN),
  STORED_LEADERSHIP: fc.record({ id: n, accepted: truth, store, complete: truth }, PLAIN),
};

/** Fields that may be null: type and path. */
/** Fields that messages of older nodes lack. */
const NEWER = /^(PULL|HBACK)\.room$/;
const NULLABLE =
  /^(STATE|NOT_LEADER)\.leadership$|^HANDED_OVER\.refusal$|^GET_RANGE\.base$|^RANGE\.lastKey$|\.inSync\.\d+\.store$/;

test("what an older node does not tell of its room counts as none", () => {
  for (const type of ["PULL", "HBACK"] as const) {
    const [sample] = fc.sample(HEADERS[type], { numRuns: 1, seed: 7 });
    const decoded = decodeMessage(type, { ...sample, room: undefined }, BODY);
    assert.deepEqual(decoded.header, { ...sample, room: 0 });
  }
});

for (const type of Object.keys(HEADERS) as MessageType[]) {
  describe(`a ${type} message`, () => {
    const samples = fc.sample<object>(HEADERS[type], { numRuns: 5, seed: 7 });

    test("is read as it was sent, through JSON", () => {
      fc.assert(
        fc.property(HEADERS[type] as fc.Arbitrary<object>, (header) => {
          const sent: unknown = JSON.parse(JSON.stringify(header));
          assert.deepEqual(decodeMessage(type, sent, BODY), { type, header, body: BODY });
        }),
        { numRuns: 50 },
      );
    });

    test("with any field missing is refused", () => {
      let fieldCount = 0;
      for (const header of samples) {
        for (const path of pathsOf(header)) {
          if (path.length === 0 || typeof path.at(-1) === "number" || NEWER.test([type, ...path].join("."))) continue;
          assert.throws(
            () => decodeMessage(type, changed(header, path, undefined), BODY),
            ProtocolError,
            path.join("."),
          );
          fieldCount++;
        }
      }
      assert.ok(fieldCount > 0);
    });

    test("with a value of another kind in any field is refused", () => {
      for (const header of samples) {
        for (const path of pathsOf(header)) {
          const name = [type, ...path].join(".");
          const value = path.reduce<unknown>((at, key) => (at as Record<string, unknown>)[key], header);
          for (const wrong of wrongFor(value, path.at(-1))) {
            if (wrong === null && NULLABLE.test(name)) continue;
            // A field that happens to be null in the sample may be a text.
            if (value === null && typeof wrong === "string") continue;
            assert.throws(
              () => decodeMessage(type, changed(header, path, wrong), BODY),
              ProtocolError,
              `${name} = ${String(wrong)}`,
            );
          }
        }
      }
    });

    test("drops fields that it does not know, also dangerous names", () => {
      const [header] = samples;
      const extended = {
        ...(JSON.parse('{"__proto__":{"polluted":true},"constructor":1}') as object),
        ...header,
        extra: 1,
      };
      const { header: read } = decodeMessage(type, extended, BODY);
      assert.deepEqual(read, header);
      assert.equal((read as unknown as Record<string, unknown>)["polluted"], undefined);
    });
  });
}

test("only the messages of the protocol are messages", () => {
  for (const type of Object.keys(HEADERS)) assert.ok(isMessageType(type));
  for (const type of ["", "hello", "HELLO ", "__proto__", "constructor", "toString"]) assert.ok(!isMessageType(type));
});

test("damaged JSON of any kind throws nothing but ProtocolError", () => {
  const samples = (Object.keys(HEADERS) as MessageType[]).map((type) => {
    const [header] = fc.sample<object>(HEADERS[type], { numRuns: 1, seed: 5 });
    return { type, bytes: Buffer.from(JSON.stringify(header)) };
  });
  let readCount = 0;
  let index = 0;
  for (const damaged of mutations(
    samples.map(({ bytes }) => bytes),
    fuzzRuns(10_000),
  )) {
    const { type } = samples[index++ % samples.length] ?? assert.fail();
    let header: unknown;
    try {
      header = JSON.parse(damaged.toString("utf8"));
    } catch {
      continue;
    }
    readCount++;
    try {
      decodeMessage(type, header, BODY);
    } catch (error) {
      assert.ok(error instanceof ProtocolError, String(error));
    }
  }
  assert.ok(readCount > 200, `${readCount} were still JSON`);
});

describe("the epochs of a snapshot", () => {
  const mark: fc.Arbitrary<EpochOfBase> = fc.record(
    { epoch, term, firstSequence: n, versionBase: n, lineage: n32 },
    PLAIN,
  );

  test("are read as they were sent", () => {
    fc.assert(
      fc.property(fc.array(mark, { maxLength: 10 }), (marks) => {
        assert.deepEqual(decodeEpochs(Buffer.from(JSON.stringify(marks))), marks);
      }),
    );
  });

  test("are refused when they are not a list of whole marks", () => {
    for (const bad of ["", "{", "{}", "5", "null", "[5]", "[null]", '[{"epoch":1}]', "[[]]"]) {
      assert.throws(() => decodeEpochs(Buffer.from(bad)), ProtocolError, bad);
    }
  });
});

test("a leadership in a state file is read with the same care", () => {
  const [one] = fc.sample(leadership, { numRuns: 1, seed: 3 });
  assert.deepEqual(decodeLeadership(one), one);
  for (const bad of [
    null,
    undefined,
    5,
    "x",
    [],
    { ...one, epoch: EPOCH_MAX + 1 },
    { ...one, term: "ABCDEF0123456789" },
  ]) {
    assert.throws(() => decodeLeadership(bad), ProtocolError);
  }
});

type Path = readonly (string | number)[];

/** Where values stand in `value`, itself included. */
function pathsOf(value: unknown, path: Path = []): Path[] {
  if (typeof value !== "object" || value === null) return [path];
  const keys = Array.isArray(value) ? value.map((_, i) => i) : Object.keys(value);
  return [path, ...keys.flatMap((key) => pathsOf((value as Record<string | number, unknown>)[key], [...path, key]))];
}

/** A copy with another value at `path`; undefined removes the field. */
function changed(header: object, path: Path, value: unknown): unknown {
  const [key, ...rest] = path;
  if (key === undefined) return value;
  const copy = (Array.isArray(header) ? [...(header as unknown[])] : { ...header }) as Record<string | number, unknown>;
  const inner = rest.length === 0 ? value : changed(copy[key] as object, rest, value);
  if (inner === undefined) Reflect.deleteProperty(copy, key);
  else copy[key] = inner;
  return copy;
}

function wrongFor(value: unknown, field: string | number | undefined): unknown[] {
  if (typeof value === "number") {
    const tooLarge = /epoch/i.test(String(field))
      ? [EPOCH_MAX + 1]
      : /generation|lineage/.test(String(field))
        ? [2 ** 32]
        : [];
    return ["1", -1, 1.5, 2 ** 53, null, true, [], {}, Number.NaN, Number.POSITIVE_INFINITY, ...tooLarge];
  }
  if (typeof value === "boolean") return [0, 1, "true", null, {}, []];
  if (typeof value === "string") {
    const notATerm = /term/i.test(String(field)) ? ["", "0", "0".repeat(17), "g".repeat(16), "A".repeat(16)] : [];
    const notARole = field === "role" ? ["", "LEADER", "candidate", "__proto__"] : [];
    return [5, null, true, {}, [], "x".repeat(4097), ...notATerm, ...notARole];
  }
  if (Array.isArray(value)) return [5, "x", null, {}, [null], [5]];
  return value === null ? [true, [], {}, -1] : [5, "x", [], true, null];
}
