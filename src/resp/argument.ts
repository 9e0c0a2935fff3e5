import { KvError } from "../model/errors.ts";
import { keyOfBinary, type Key } from "../model/key.ts";
import { LIMITS } from "../model/limits.ts";
import { CommandError } from "./command-error.ts";

/**
 * One word of a command: a binary string (one character a byte), or its bytes, which nobody else owns, where they are many or
 * where a value is likely to stand.
 *
 * Names, keys and options are short: V8 makes such a string faster than a view into a buffer, maps take it as it is,
 * and it keeps nothing of what was read from the socket alive.
 */
export type Argument = string | Buffer;

/** As long as the longest key. */
export const SHORT_BYTES_MAX = 1024;

export const INT64_MAX: bigint = 2n ** 63n - 1n;
export const INT64_MIN: bigint = -(2n ** 63n);

export function textOf(argument: Argument | undefined): string {
  if (argument === undefined) return "";
  return typeof argument === "string" ? argument : argument.toString("latin1");
}

/** Option and command names are compared without regard to case. */
export function wordOf(argument: Argument | undefined): string {
  return textOf(argument).toLowerCase();
}

/** Throws KEY_EMPTY or KEY_TOO_LONG. */
export function keyOf(argument: Argument | undefined): Key {
  return keyOfBinary(textOf(argument));
}

/** Throws VALUE_TOO_LARGE. */
export function valueOf(argument: Argument | undefined): Buffer {
  if (argument === undefined || typeof argument === "string") return Buffer.from(argument ?? "", "latin1");
  if (argument.length > LIMITS.valueBytesMax) {
    const message = `The value has ${argument.length} bytes; the limit is ${LIMITS.valueBytesMax}`;
    throw new KvError("VALUE_TOO_LARGE", message);
  }
  return argument;
}

/** A 64-bit integer as Redis reads it: no sign `+`, no leading zeros, no spaces. */
export function integerOf(
  argument: Argument | undefined,
  complaint = "value is not an integer or out of range",
): bigint {
  const text = textOf(argument);
  if (/^(?:0|-?[1-9][0-9]{0,18})$/.test(text)) {
    const value = BigInt(text);
    if (value <= INT64_MAX && value >= INT64_MIN) return value;
  }
  throw new CommandError(`ERR ${complaint}`);
}
