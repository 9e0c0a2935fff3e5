import { KvError } from "../model/errors.ts";

/** Bounds of a whole-number parameter, both included. */
export interface NumberRange {
  readonly min: number;
  readonly max: number;
}

/**
 * Parses a parameter that must be a plain decimal number: no sign, exponent, fraction, space or leading zero, since what
 * one reader takes for 1000 another takes for 1. Throws INVALID_ARGUMENT naming the parameter and its range.
 */
export function parseWholeNumber(name: string, text: string, range: NumberRange): number {
  const value = /^(?:0|[1-9]\d{0,15})$/.test(text) ? Number(text) : Number.NaN;
  if (Number.isSafeInteger(value) && value >= range.min && value <= range.max) return value;
  throw new KvError("INVALID_ARGUMENT", `${name} must be a whole number from ${range.min} to ${range.max}`);
}
