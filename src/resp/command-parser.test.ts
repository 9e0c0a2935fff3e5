import assert from "node:assert/strict";
import { describe, test } from "node:test";
import fc from "fast-check";
import { LIMITS } from "../model/limits.ts";
import { type Argument, SHORT_BYTES_MAX } from "./argument.ts";
import { CommandParser, ProtocolFault } from "./command-parser.ts";

/** What a parser makes of `bytes` cut at `cuts`: the commands, and the fault that ended them. */
function parse(bytes: Buffer, cuts: readonly number[] = []): { commands: string[][]; fault: string | null } {
  const parser = new CommandParser();
  const commands: string[][] = [];
  const places = [...new Set([...cuts.map((cut) => cut % (bytes.length + 1)), 0, bytes.length])].sort((a, b) => a - b);
  try {
    for (const [index, start] of places.entries()) {
      parser.push(bytes.subarray(start, places[index + 1] ?? start));
      for (let words = parser.next(); words !== null; words = parser.next()) commands.push(words.map(textOf));
      assert.equal(parser.hasBytes, false, "everything is taken before more is asked for");
    }
  } catch (error) {
    if (!(error instanceof ProtocolFault)) throw error;
    return { commands, fault: error.message };
  }
  return { commands, fault: null };
}

function textOf(word: Argument): string {
  if (typeof word === "string") assert.ok(word.length <= SHORT_BYTES_MAX);
  else assert.ok(word.length > 24, "a short word is a string");
  return word.toString("latin1");
}

const encode = (words: readonly Buffer[]): Buffer =>
  Buffer.concat([
    Buffer.from(`*${words.length}\r\n`),
    ...words.flatMap((word) => [Buffer.from(`$${word.length}\r\n`), word, Buffer.from("\r\n")]),
  ]);
const faultOf = (text: string): string | null => parse(Buffer.from(text, "latin1")).fault;
const commandsOf = (text: string): string[][] => parse(Buffer.from(text, "latin1")).commands;

const aWord = fc
  .oneof(
    fc.uint8Array({ maxLength: 20 }),
    fc.constant(Buffer.alloc(SHORT_BYTES_MAX, 1)),
    fc.constant(Buffer.alloc(3000, 13)),
  )
  .map((bytes) => Buffer.from(bytes));
const someCuts = fc.array(fc.nat(10_000), { maxLength: 30 });

describe("the parser of the Redis protocol", () => {
  test("gives every command back, word by word, wherever the bytes are cut", () => {
    const commands = fc.array(fc.array(aWord, { minLength: 1, maxLength: 5 }), { maxLength: 6 });
    fc.assert(
      fc.property(commands, someCuts, (sent, cuts) => {
        const { commands: got, fault } = parse(Buffer.concat(sent.map(encode)), cuts);
        assert.equal(fault, null);
        assert.deepEqual(
          got,
          sent.map((words) => words.map((word) => word.toString("latin1"))),
        );
      }),
    );
  });

  test("makes the same of any bytes, however they are cut, even one by one", () => {
    const piece = fc.constantFrom(
      "*1\r\n",
      "*2\r\n",
      "$4\r\n",
      "PING",
      "\r\n",
      "*",
      "$",
      "-1",
      "0",
      "\n",
      "\r",
      " ",
      "'",
      '"',
      "\\x4",
      "*99999999999\r\n",
      "$-5\r\n",
      "GET a\r\n",
      "\0",
      "x",
    );
    const bytes = fc.array(piece, { maxLength: 20 }).map((pieces) => Buffer.from(pieces.join(""), "latin1"));
    fc.assert(
      fc.property(bytes, someCuts, (sent, cuts) => {
        const whole = parse(sent);
        assert.deepEqual(parse(sent, cuts), whole);
        assert.deepEqual(
          parse(
            sent,
            Array.from({ length: sent.length }, (_, index) => index),
          ),
          whole,
        );
      }),
      { numRuns: 1000 },
    );
  });

  test("takes lines typed by hand, with quotes and escapes", () => {
    assert.deepEqual(commandsOf("PING\r\n\r\n  get  a \nset b \"x\\x41\\n y\" 'it\\'s'\n"), [
      ["PING"],
      ["get", "a"],
      ["set", "b", "xA\n y", "it's"],
    ]);
    assert.equal(faultOf('set a "b\n'), "unbalanced quotes in request");
    assert.equal(faultOf('set a "b"c\n'), "unbalanced quotes in request");
    assert.equal(faultOf("set a 'b\n"), "unbalanced quotes in request");
  });

  test("passes over commands without words", () => {
    assert.deepEqual(commandsOf("*0\r\n*-1\r\n*1\r\n$4\r\nPING\r\n"), [["PING"]]);
  });

  test("refuses what is no protocol in Redis' words", () => {
    assert.equal(faultOf("*2147483648\r\n"), "invalid multibulk length");
    assert.equal(faultOf("*1048577\r\n"), "invalid multibulk length");
    assert.equal(faultOf(`*${LIMITS.respElementsMax + 1}\r\n`), "invalid multibulk length");
    assert.equal(faultOf("*x\r\n"), "invalid multibulk length");
    assert.equal(faultOf("*01\r\n"), "invalid multibulk length");
    assert.equal(faultOf("*1\r\n$-5\r\n"), "invalid bulk length");
    assert.equal(faultOf("*1\r\n$99999999999\r\n"), "invalid bulk length");
    assert.equal(faultOf("*1\r\n$\r\n"), "invalid bulk length");
    assert.equal(faultOf("*1\r\n*1\r\n$4\r\nPING\r\n"), "expected '$', got '*'");
    assert.equal(faultOf("*1\r\nPING\r\n"), "expected '$', got 'P'");
    assert.equal(faultOf(`*${"1".repeat(70_000)}`), "too big mbulk count string");
    assert.equal(faultOf(`*1\r\n$${"1".repeat(70_000)}`), "too big bulk count string");
    assert.equal(faultOf("x".repeat(1_048_576)), "too big inline request");
  });

  test("bounds one command, whatever it is cut into", () => {
    const half = LIMITS.respCommandBytesMax / 2;
    const parser = new CommandParser();
    parser.push(Buffer.from(`*3\r\n$${half}\r\n`));
    assert.equal(parser.next(), null);
    for (let sent = 0; sent < half; sent += 65_536) {
      parser.push(Buffer.alloc(65_536));
      assert.equal(parser.next(), null);
    }
    assert.equal(parser.heldBytes, half);
    parser.push(Buffer.from(`\r\n$${half + 1}\r\n`));
    assert.throws(() => parser.next(), new ProtocolFault("invalid bulk length"));
  });
});
