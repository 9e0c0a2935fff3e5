import fc from "fast-check";

/** One command with binary words, as Redis clients might send it: sensible mostly, wrong in every way sometimes. */
export type RandomCommand = readonly Buffer[];

const aKey = fc.constantFrom("a", "b", "c", "key:1", "kéy", "x\r\ny");
const anInteger = fc.oneof(
  fc.integer({ min: -20, max: 20 }).map(String),
  fc.constantFrom(
    "9223372036854775807",
    "-9223372036854775808",
    "9223372036854775808",
    "1.5",
    "",
    " 1",
    "+1",
    "01",
    "-0",
  ),
  fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n }).map(String),
);
const aFloat = fc.oneof(
  fc.double({ min: -1e6, max: 1e6, noNaN: true }).map(String),
  fc.integer({ min: -9999, max: 9999 }).map((value) => (value / 100).toString()),
  fc.constantFrom(
    "0.1",
    "1e5",
    "-1.5e-3",
    "3.0e2",
    "inf",
    "-infinity",
    "nan",
    "1e4000",
    "1e5000",
    "0x1p3",
    "0x.8",
    ".5",
    "5.",
    "1e",
    "abc",
    " 1",
    "1 ",
    "1e-4950",
    "0.30000000000000004",
    "123456789012345678901234567890",
  ),
  anInteger,
);
const aValue = fc.oneof(
  anInteger,
  aFloat,
  fc.string({ maxLength: 12 }),
  fc.uint8Array({ maxLength: 20 }).map((bytes) => Buffer.from(bytes)),
  fc.constant(Buffer.alloc(1500, 7)),
);
/**
 * Never one that passes while the test runs, nor one between the year 287,396, where our times end, and Redis' last: seconds
 * beyond both are in `aFarTime`.
 */
const aTime = fc.constantFrom(
  "5000",
  "100000",
  "77777777",
  "0",
  "-1",
  "-100",
  "9223372036854775807",
  "-9223372036854775808",
  "abc",
  "1.5",
  "",
);
const aFarTime = fc.constantFrom(
  "9223372036854775",
  "9223372036854774",
  "-9223372036854775",
  "-9223372036854776",
  "9223372036854775807",
);
const anAbsoluteTime = fc.constantFrom("1", "0", "-5", "4102444800", "4102444800000", "99999999999", "abc");
const anOption = fc.constantFrom(
  "NX",
  "XX",
  "GET",
  "KEEPTTL",
  "PERSIST",
  "EX",
  "PX",
  "EXAT",
  "PXAT",
  "GT",
  "LT",
  "REPLACE",
  "DB",
  "nx",
  "Ex",
  "bogus",
  "0",
);
/** Any of them may stand where a key does: ours are neither empty nor longer than 1,024 bytes. */
const anyWord = fc.oneof(aKey, aValue, anOption, anInteger).filter(({ length }) => length > 0 && length < 1000);

type Words = readonly (string | Buffer)[];
type Shape = fc.Arbitrary<Words>;
const shape = (name: string, ...words: fc.Arbitrary<string | Buffer>[]): Shape =>
  fc.tuple(...words).map((rest): Words => [name, ...rest]);
const many = (name: string, ...words: fc.Arbitrary<string | Buffer>[]): Shape =>
  fc.array(fc.tuple(...words), { minLength: 1, maxLength: 4 }).map((rows): Words => [name, ...rows.flat()]);

/** SET's options together, in all legal and many other combinations. */
const setOptions: fc.Arbitrary<Words> = fc
  .array(
    fc.oneof(
      fc.constantFrom<string[]>(["NX"], ["XX"], ["GET"], ["KEEPTTL"]),
      fc.tuple(fc.constantFrom("EX", "PX", "px"), aTime),
      fc.tuple(fc.constantFrom("EXAT", "PXAT"), anAbsoluteTime),
    ),
    { maxLength: 3 },
  )
  .map((options) => options.flat());
const expireOptions: fc.Arbitrary<Words> = fc.array(fc.constantFrom("NX", "XX", "GT", "LT", "gt", "bogus"), {
  maxLength: 2,
});
const getExOptions: fc.Arbitrary<Words> = fc.oneof(
  fc.constantFrom<string[]>([], ["PERSIST"], ["EX"], ["PERSIST", "EX", "5000"], ["KEEPTTL"]),
  fc.tuple(fc.constantFrom("EX", "PX"), aTime),
  fc.tuple(fc.constantFrom("EXAT", "PXAT"), anAbsoluteTime),
);
const withOptions = (base: Shape, options: fc.Arbitrary<Words>): Shape =>
  fc.tuple(base, options).map(([words, more]): Words => [...words, ...more]);
const copyOptions: fc.Arbitrary<Words> = fc.array(fc.constantFrom("REPLACE", "DB", "0", "1", "x"), { maxLength: 3 });
/** Offsets that make values either small or too large for both: what lies between is ours alone to refuse. */
const anOffset = fc.constantFrom("0", "3", "10", "100", "-1", "600000000", "9223372036854775807", "abc");

const KEY_SHAPES: readonly Shape[] = [
  shape("GET", aKey),
  withOptions(shape("SET", aKey, aValue), setOptions),
  withOptions(shape("SET", aKey, aValue), setOptions),
  shape("SET", aKey, aFloat),
  shape("SET", aKey, anInteger),
  shape("SETNX", aKey, aValue),
  shape("SETEX", aKey, aTime, aValue),
  shape("PSETEX", aKey, aTime, aValue),
  shape("GETSET", aKey, aValue),
  shape("GETDEL", aKey),
  withOptions(shape("GETEX", aKey), getExOptions),
  many("MGET", aKey),
  many("MSET", aKey, aValue),
  many("MSETNX", aKey, aValue),
  shape("APPEND", aKey, aValue),
  shape("STRLEN", aKey),
  shape("GETRANGE", aKey, anInteger, anInteger),
  shape("SUBSTR", aKey, anInteger, anInteger),
  shape("SETRANGE", aKey, anOffset, aValue),
  shape("INCR", aKey),
  shape("DECR", aKey),
  shape("INCRBY", aKey, anInteger),
  shape("DECRBY", aKey, anInteger),
  shape("INCRBYFLOAT", aKey, aFloat),
  shape("INCRBYFLOAT", aKey, aFloat),
  many("DEL", aKey),
  many("UNLINK", aKey),
  many("EXISTS", aKey),
  many("TOUCH", aKey),
  shape("TYPE", aKey),
  withOptions(shape("EXPIRE", aKey, aTime), expireOptions),
  withOptions(shape("PEXPIRE", aKey, aTime), expireOptions),
  withOptions(shape("EXPIREAT", aKey, anAbsoluteTime), expireOptions),
  withOptions(shape("PEXPIREAT", aKey, anAbsoluteTime), expireOptions),
  shape("EXPIRE", aKey, aFarTime),
  shape("SETEX", aKey, aFarTime, aValue),
  shape("TTL", aKey),
  shape("PTTL", aKey),
  shape("EXPIRETIME", aKey),
  shape("PEXPIRETIME", aKey),
  shape("PERSIST", aKey),
  shape("RENAME", aKey, aKey),
  shape("RENAMENX", aKey, aKey),
  withOptions(shape("COPY", aKey, aKey), copyOptions),
];

const OTHER_SHAPES: readonly Shape[] = [
  shape("PING"),
  shape("PING", aValue),
  shape("ECHO", aValue),
  shape("SELECT", anInteger),
  shape("DBSIZE"),
  shape("KEYS", fc.constantFrom("*", "a", "[ab]", "k*", "?", "[^a]", "\\a", "k\\*", "*:[0-9]", "[c-a]", "[a", "x\r*")),
  shape("AUTH", aValue),
  shape("AUTH", fc.constantFrom("default", "other"), aValue),
  shape("CLIENT", fc.constantFrom("GETNAME", "getname")),
  shape("CLIENT", fc.constant("SETNAME"), fc.constantFrom("me", "a b", "", "x\n")),
  shape("CLIENT", fc.constant("NO-EVICT"), fc.constantFrom("on", "off", "x")),
  shape("CLIENT", fc.constant("BOGUS"), aValue),
  shape("CONFIG", fc.constantFrom("BOGUS", "GET")),
  shape("HELLO", fc.constantFrom("1", "4", "x")),
  shape("HELLO", fc.constant("2"), fc.constantFrom("AUTH", "SETNAME", "x", "au\r\nth")),
  shape("SCAN", fc.constantFrom("x", "-", "")),
  shape("SCAN", fc.constant("0"), fc.constantFrom("COUNT", "MATCH", "x"), fc.constantFrom("0", "-1", "x", "")),
  shape("SCAN", fc.constant("0"), fc.constant("COUNT"), fc.constant("1000")),
  shape("FLUSHALL", fc.constantFrom("x", "sync", "ASYNC")),
  shape("FLUSHDB"),
  shape("UNWATCH"),
  shape("DISCARD"),
  shape("EXEC"),
  shape("RESET"),
  shape("WAIT", fc.constantFrom("x", "0"), fc.constantFrom("x", "-1")),
  shape("NOSUCHCOMMAND", aValue),
  many("nosuch\r\ncommand", aValue, aValue),
];

const KEY_NAMES = [
  "GET",
  "SET",
  "SETNX",
  "SETEX",
  "GETEX",
  "MSET",
  "MSETNX",
  "MGET",
  "APPEND",
  "GETRANGE",
  "SETRANGE",
  "INCRBY",
  "INCRBYFLOAT",
  "DEL",
  "EXPIRE",
  "PEXPIREAT",
  "TTL",
  "PERSIST",
  "RENAME",
  "COPY",
  "TYPE",
  "STRLEN",
  "DECR",
  "GETDEL",
];
/** As a time it would lie between our last and Redis' last, or, in ms, pass while the test runs. */
function isDisputedTime(word: string | Buffer): boolean {
  return typeof word === "string" && /^(?:[1-9]\d?|\d{13,19})$/.test(word);
}

/** Any command with any words: wrong numbers of them, wrong kinds, wrong options. */
const aWildCommand: Shape = fc
  .tuple(fc.constantFrom(...KEY_NAMES), fc.array(anyWord, { maxLength: 6 }))
  // Two numbers behind SETRANGE or so could make values of sizes that only we refuse.
  .filter(([name, words]) => name !== "SETRANGE" && !words.some(isDisputedTime))
  .map(([name, words]): Words => [name, ...words]);

const mixCase = (words: Words, isLower: boolean): RandomCommand =>
  words.map((word, index) => {
    if (typeof word !== "string") return word;
    return Buffer.from(index === 0 && isLower ? word.toLowerCase() : word);
  });

const toCommand = (words: Shape): fc.Arbitrary<RandomCommand> =>
  fc.tuple(words, fc.boolean()).map(([one, isLower]) => mixCase(one, isLower));

const aKeyCommand: fc.Arbitrary<RandomCommand> = toCommand(
  fc.oneof({ weight: 8, arbitrary: fc.oneof(...KEY_SHAPES) }, { weight: 1, arbitrary: aWildCommand }),
);

/** What is refused when it is queued, or not at all. */
const SPOILERS: readonly Shape[] = [
  shape("MULTI"),
  shape("NOSUCH"),
  shape("GET"),
  shape("PING"),
  shape("WATCH", aKey),
  shape("CLIENT"),
  shape("CLIENT", fc.constantFrom("SETNAME", "FOO", "ID"), fc.constantFrom("x y", "z")),
  shape("CLIENT", fc.constantFrom("SETNAME", "BAR", "GETNAME")),
  shape("CONFIG", fc.constantFrom("GET", "FOO")),
  shape("COMMAND", fc.constantFrom("FOO", "COUNT"), fc.constant("x")),
];

/** Commands on keys between MULTI and EXEC or DISCARD, perhaps with one that is refused when it is queued. */
const aTransaction: fc.Arbitrary<RandomCommand[]> = fc
  .tuple(
    fc.array(aKeyCommand, { maxLength: 6 }),
    fc.constantFrom("EXEC", "EXEC", "EXEC", "DISCARD"),
    fc.option(toCommand(fc.oneof(...SPOILERS))),
  )
  .map(([commands, end, extra]) => [
    [Buffer.from("MULTI")],
    ...(extra === null ? [] : [extra]),
    ...commands,
    [Buffer.from(end)],
  ]);

/** A client's session: commands one behind the other. */
export const aSession: fc.Arbitrary<RandomCommand[]> = fc
  .array(
    fc.oneof(
      { weight: 12, arbitrary: aKeyCommand.map((command) => [command]) },
      { weight: 3, arbitrary: toCommand(fc.oneof(...OTHER_SHAPES)).map((command) => [command]) },
      { weight: 1, arbitrary: aTransaction },
    ),
    { minLength: 1, maxLength: 40 },
  )
  .map((parts) => parts.flat());
