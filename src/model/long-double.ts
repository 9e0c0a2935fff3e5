/**
 * The 80-bit floating point number that Redis counts with, exactly: ± mantissa · 2^exponent, with a mantissa of at most 64
 * bits. JavaScript's doubles have 53 bits, and `INCRBYFLOAT` shows 17 digits behind the point: the difference is visible.
 */
export interface LongDouble {
  readonly isNegative: boolean;
  readonly mantissa: bigint;
  readonly exponent: number;
}

const MANTISSA_BITS = 64;
const MANTISSA_END = 1n << 64n;
const EXPONENT_MIN = -16_445;
const EXPONENT_MAX = 16_383 - 63;
/** Texts as long as Redis' buffer, or longer, are no numbers to it. */
const TEXT_LENGTH_END = 5 * 1024;
/** Powers of ten beyond which every number is too large, or nothing, whatever its digits: no need to compute them. */
const POWER_OF_TEN_MAX = 11_000;
const DIGITS_SHOWN = 17;

const DECIMAL = /^([+-]?)(?:(\d+)(?:\.(\d*))?|\.(\d+))(?:e([+-]?\d+))?$/i;
const HEXADECIMAL = /^([+-]?)0x(?:([0-9a-f]+)(?:\.([0-9a-f]*))?|\.([0-9a-f]+))(?:p([+-]?\d+))?$/i;
const INFINITE = /^[+-]?inf(?:inity)?$/i;

/** `strtold` as Redis uses it: null when `text` is no number, or too large or too small to be one; "infinite" when it says so. */
export function parseLongDouble(text: string): LongDouble | "infinite" | null {
  if (text.length >= TEXT_LENGTH_END) return null;
  if (INFINITE.test(text)) return "infinite";
  return parseDecimal(text) ?? parseHexadecimal(text);
}

function parseDecimal(text: string): LongDouble | null {
  const match = DECIMAL.exec(text);
  if (match === null) return null;
  const [, sign = "", whole = "", fraction = "", onlyFraction = "", power = "0"] = match;
  const digits = BigInt(`${whole}${fraction}${onlyFraction}`);
  const exponent = Number(power) - fraction.length - onlyFraction.length;
  const isNegative = sign === "-";
  if (digits === 0n) return { isNegative, mantissa: 0n, exponent: 0 };
  if (Math.abs(exponent) > POWER_OF_TEN_MAX) return null;
  const scale = 10n ** BigInt(Math.abs(exponent));
  return parsed(isNegative, exponent >= 0 ? round(digits * scale, 1n) : round(digits, scale));
}

function parseHexadecimal(text: string): LongDouble | null {
  const match = HEXADECIMAL.exec(text);
  if (match === null) return null;
  const [, sign = "", whole = "", fraction = "", onlyFraction = "", power = "0"] = match;
  const digits = BigInt(`0x${whole}${fraction}${onlyFraction}`);
  const exponent = Number(power) - 4 * (fraction.length + onlyFraction.length);
  const isNegative = sign === "-";
  if (digits === 0n) return { isNegative, mantissa: 0n, exponent: 0 };
  if (Math.abs(exponent) > 4 * POWER_OF_TEN_MAX) return null;
  const scale = 1n << BigInt(Math.abs(exponent));
  return parsed(isNegative, exponent >= 0 ? round(digits * scale, 1n) : round(digits, scale));
}

/** What rounds to nothing or to infinity is out of range for Redis. */
function parsed(isNegative: boolean, rounded: { mantissa: bigint; exponent: number }): LongDouble | null {
  if (rounded.mantissa === 0n || rounded.exponent > EXPONENT_MAX) return null;
  return { isNegative, ...rounded };
}

/** The sum, rounded once; null when it is too large to be a number. */
export function addLongDoubles(a: LongDouble, b: LongDouble): LongDouble | null {
  const exponent = Math.min(a.exponent, b.exponent);
  const sum = signedAt(a, exponent) + signedAt(b, exponent);
  const isNegative = sum < 0n;
  const size = isNegative ? -sum : sum;
  if (size === 0n) return { isNegative: false, mantissa: 0n, exponent: 0 };
  const scale = 1n << BigInt(Math.abs(exponent));
  const rounded = exponent >= 0 ? round(size * scale, 1n) : round(size, scale);
  return rounded.exponent > EXPONENT_MAX ? null : { isNegative, ...rounded };
}

function signedAt(value: LongDouble, exponent: number): bigint {
  const shifted = value.mantissa << BigInt(value.exponent - exponent);
  return value.isNegative ? -shifted : shifted;
}

/** `%.17Lf` without the zeros at its end: what Redis stores and answers. */
export function formatLongDouble(value: LongDouble): string {
  const scaled = value.mantissa * 10n ** BigInt(DIGITS_SHOWN);
  const shift = BigInt(Math.abs(value.exponent));
  const digits = (value.exponent >= 0 ? scaled << shift : divideToEven(scaled, 1n << shift)).toString();
  const padded = digits.padStart(DIGITS_SHOWN + 1, "0");
  const whole = padded.slice(0, -DIGITS_SHOWN);
  const fraction = padded.slice(-DIGITS_SHOWN).replace(/0+$/, "");
  const text = fraction === "" ? whole : `${whole}.${fraction}`;
  return value.isNegative && text !== "0" ? `-${text}` : text;
}

/** numerator ÷ denominator to 64 bits, halves to even. Both are positive. */
function round(numerator: bigint, denominator: bigint): { mantissa: bigint; exponent: number } {
  const estimate = bitCount(numerator) - bitCount(denominator) - MANTISSA_BITS;
  for (let exponent = Math.max(estimate, EXPONENT_MIN); ; exponent++) {
    const shift = BigInt(Math.abs(exponent));
    const mantissa =
      exponent >= 0 ? divideToEven(numerator, denominator << shift) : divideToEven(numerator << shift, denominator);
    if (mantissa < MANTISSA_END) return { mantissa, exponent };
  }
}

function divideToEven(numerator: bigint, denominator: bigint): bigint {
  const quotient = numerator / denominator;
  const twice = 2n * (numerator % denominator);
  const isUp = twice > denominator || (twice === denominator && quotient % 2n === 1n);
  return isUp ? quotient + 1n : quotient;
}

function bitCount(value: bigint): number {
  return value.toString(2).length;
}
