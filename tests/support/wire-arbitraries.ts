import fc from "fast-check";
import { ERRORS, KvError, type ErrorCode } from "../../src/model/errors.ts";
import type { Key } from "../../src/model/key.ts";
import { LIMITS } from "../../src/model/limits.ts";
import type {
  Condition,
  Expiry,
  Guard,
  KeyOperation,
  Operation,
  Position,
  Reply,
  RequestOptions,
  Result,
  ScanItem,
  SeenPosition,
} from "../../src/model/operation.ts";
import type { Record } from "../../src/model/record.ts";

/** Everything that can travel between nodes, made at random. */
const aKey: fc.Arbitrary<Key> = fc
  .uint8Array({ minLength: 1, maxLength: 40 })
  .chain((bytes) => fc.constantFrom(bytes, bytes, Buffer.alloc(LIMITS.keyBytesMax, bytes[0])))
  .map((bytes) => Buffer.from(bytes).toString("latin1") as Key);
const aBuffer: fc.Arbitrary<Buffer> = fc.uint8Array({ maxLength: 300 }).map((bytes) => Buffer.from(bytes));
const aWholeNumber: fc.Arbitrary<number> = fc.oneof(fc.nat(1000), fc.maxSafeNat());
const aTime: fc.Arbitrary<number> = fc.maxSafeInteger().map((ms) => (Object.is(ms, -0) ? 0 : ms));
const anInt64: fc.Arbitrary<bigint> = fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n });
const aText: fc.Arbitrary<string> = fc.string({ maxLength: 60, unit: "grapheme" });
const aContentType: fc.Arbitrary<string> = fc.oneof(
  fc.constant(""),
  fc.constant("application/json"),
  fc.string({ maxLength: 255 }),
);

const aCondition: fc.Arbitrary<Condition | null> = fc.oneof(
  fc.constant(null),
  fc.constant<Condition>({ kind: "absent" }),
  fc.constant<Condition>({ kind: "present" }),
  fc.record({ kind: fc.constant("version" as const), version: aWholeNumber }),
);
const anExpiry: fc.Arbitrary<Expiry> = fc.oneof(
  fc.constant<Expiry>({ kind: "none" }),
  fc.constant<Expiry>({ kind: "keep" }),
  fc.record({ kind: fc.constant("after" as const), ms: fc.integer({ min: -5, max: LIMITS.ttlMsMax }) }),
  fc.record({ kind: fc.constant("at" as const), ms: aTime }),
);

const aKeyOperation: fc.Arbitrary<KeyOperation> = fc.oneof(
  fc.record({ kind: fc.constant("get" as const), key: aKey }),
  fc.record({
    kind: fc.constant("set" as const),
    key: aKey,
    value: aBuffer,
    contentType: aContentType,
    expiry: anExpiry,
    condition: aCondition,
    returnOld: fc.boolean(),
  }),
  fc.record({ kind: fc.constant("delete" as const), key: aKey, condition: aCondition }),
  fc.record({ kind: fc.constant("increment" as const), key: aKey, by: anInt64 }),
  fc.record({ kind: fc.constant("describe" as const), key: aKey }),
  fc.record({
    kind: fc.constant("expire" as const),
    key: aKey,
    expiry: anExpiry.filter((expiry) => expiry.kind !== "keep"),
    condition: fc.constantFrom(
      "always" as const,
      "absent" as const,
      "present" as const,
      "greater" as const,
      "less" as const,
      "presentAndLess" as const,
    ),
  }),
  fc.record({ kind: fc.constant("append" as const), key: aKey, value: aBuffer }),
  fc.record({ kind: fc.constant("setRange" as const), key: aKey, offset: fc.nat(0xffff_ffff), value: aBuffer }),
  fc.record({ kind: fc.constant("incrementFloat" as const), key: aKey, by: aText }),
  fc.record({ kind: fc.constant("copy" as const), key: aKey, to: aKey, replace: fc.boolean(), isMove: fc.boolean() }),
  fc.record({
    kind: fc.constant("setAllAbsent" as const),
    key: aKey,
    value: aBuffer,
    more: fc.array(fc.record({ key: aKey, value: aBuffer }), { maxLength: 4 }),
  }),
);
const aGuard: fc.Arbitrary<Guard> = fc.record({
  key: aKey,
  condition: aCondition.filter((condition) => condition !== null),
});
const aBound: fc.Arbitrary<string> = fc.oneof(
  fc.constant(""),
  aKey,
  aKey.map((key) => `${key}\0`),
);

export const anOperation: fc.Arbitrary<Operation> = fc.oneof(
  { weight: 3, arbitrary: aKeyOperation },
  fc.record({
    kind: fc.constant("batch" as const),
    operations: fc.array(aKeyOperation, { minLength: 1, maxLength: 8 }),
  }),
  fc.record({
    kind: fc.constant("batch" as const),
    guards: fc.array(aGuard, { maxLength: 4 }),
    operations: fc.array(aKeyOperation, { maxLength: 4 }),
  }),
  fc.record({
    kind: fc.constant("scan" as const),
    start: aBound,
    end: aBound,
    reverse: fc.boolean(),
    keysOnly: fc.boolean(),
    rowsMax: fc.integer({ min: 1, max: LIMITS.scanRowsMax }),
    bytesMax: fc.integer({ min: 1, max: LIMITS.scanPageBytesMax }),
  }),
  fc.constant<Operation>({ kind: "clear" }),
);

const aU32: fc.Arbitrary<number> = fc.nat(0xffff_ffff);
const aPosition: fc.Arbitrary<Position> = fc.record({ epoch: aU32, lineage: aU32, sequence: aWholeNumber });
const aSeenPosition: fc.Arbitrary<SeenPosition> = fc
  .tuple(aPosition, fc.stringMatching(/^[A-Za-z0-9_-]{1,64}$/))
  .map(([position, shard]) => ({ ...position, shard }));

export const someOptions: fc.Arbitrary<RequestOptions> = fc.record(
  {
    consistency: fc.constantFrom("linearizable" as const, "strict" as const, "eventual" as const),
    durability: fc.constantFrom(null, "async" as const, "in-sync" as const),
    seen: aSeenPosition,
    maxLagMs: aWholeNumber,
    requestId: fc.stringMatching(/^[\x20-\x7e]{1,64}$/),
  },
  { requiredKeys: ["consistency", "durability"] },
);

/** JSON that no parser of ours refuses. */
export const someJson: fc.Arbitrary<unknown> = fc
  .jsonValue({ maxDepth: 5, stringUnit: "grapheme" })
  .filter((value) => !JSON.stringify(value).includes("__proto__"))
  .map((value): unknown => JSON.parse(JSON.stringify(value)));

const anErrorCode: fc.Arbitrary<ErrorCode> = fc.constantFrom(...(Object.keys(ERRORS) as ErrorCode[]));
const anError: fc.Arbitrary<KvError> = fc
  .record({ code: anErrorCode, message: aText, details: fc.dictionary(fc.string(), someJson, { maxKeys: 3 }) })
  .filter(({ details }) => !Object.hasOwn(details, "__proto__"))
  .map(
    ({ code, message, details }) =>
      new KvError(code, message, {
        details: JSON.parse(JSON.stringify(details)) as Readonly<globalThis.Record<string, unknown>>,
      }),
  );

const aRecord: fc.Arbitrary<Record> = fc.record({
  value: aBuffer,
  version: aWholeNumber,
  expiryMs: aWholeNumber,
  contentType: aContentType,
});
const anItem: fc.Arbitrary<ScanItem> = fc.record({
  key: aKey,
  value: fc.option(aBuffer),
  version: aWholeNumber,
  expiryMs: aWholeNumber,
  contentType: aContentType,
});
const aKeyResult: fc.Arbitrary<Result> = fc.oneof(
  fc.record({ kind: fc.constant("value" as const), record: aRecord }),
  fc.constant<Result>({ kind: "absent" }),
  fc.record({
    kind: fc.constant("written" as const),
    version: aWholeNumber,
    created: fc.boolean(),
    old: fc.option(aRecord),
  }),
  fc.record({ kind: fc.constant("deleted" as const), version: aWholeNumber }),
  fc.record({ kind: fc.constant("incremented" as const), value: anInt64, version: aWholeNumber }),
  fc.record({
    kind: fc.constant("described" as const),
    length: fc.nat(0xffff_ffff),
    version: aWholeNumber,
    expiryMs: aWholeNumber,
  }),
  fc.record({ kind: fc.constant("resized" as const), length: fc.nat(0xffff_ffff), version: aWholeNumber }),
  fc.record({ kind: fc.constant("incrementedFloat" as const), text: aText, version: aWholeNumber }),
  fc.record({ kind: fc.constant("not-met" as const), old: fc.option(aRecord) }),
  fc.record({ kind: fc.constant("failed" as const), error: anError }),
);
const aResult: fc.Arbitrary<Result> = fc.oneof(
  { weight: 3, arbitrary: aKeyResult },
  fc.constant<Result>({ kind: "cleared" }),
  fc.record({ kind: fc.constant("batch" as const), results: fc.array(aKeyResult, { maxLength: 8 }) }),
  fc.record({
    kind: fc.constant("page" as const),
    items: fc.array(anItem, { maxLength: 8 }),
    resume: fc.option(aKey),
  }),
);

export const aReply: fc.Arbitrary<Reply> = fc.oneof(
  fc.record({
    ok: fc.constant(true as const),
    result: aResult,
    answerer: fc.record({
      shard: aText,
      node: aText,
      role: fc.constantFrom("leader" as const, "replica" as const),
      lagMs: fc.double({ min: 0, noNaN: true }),
    }),
    position: aPosition,
  }),
  fc.record({ ok: fc.constant(false as const), error: anError }),
);
