import { KvError } from "../../model/errors.ts";

/** A whole number from `min` to `max`. Throws INVALID_ARGUMENT. */
export function parseWhole(
  option: string,
  text: string,
  range: { readonly min: number; readonly max: number },
): number {
  const { min, max } = range;
  if (/^\d{1,12}$/.test(text) && Number(text) >= min && Number(text) <= max) return Number(text);
  throw new KvError("INVALID_ARGUMENT", `${option} ${text} must be a whole number from ${min} to ${max}`);
}

/** A decimal number between two others. Throws INVALID_ARGUMENT. */
export function parseDecimal(
  option: string,
  text: string,
  range: { readonly above?: number; readonly min?: number; readonly below?: number; readonly max?: number },
): number {
  const { above = -Infinity, min = -Infinity, below = Infinity, max = Infinity } = range;
  const number = /^\d{1,9}(\.\d{1,9})?$/.test(text) ? Number(text) : Number.NaN;
  if (number > above && number >= min && number < below && number <= max) return number;
  const words = [
    above === -Infinity ? null : `more than ${above}`,
    min === -Infinity ? null : `at least ${min}`,
    below === Infinity ? null : `less than ${below}`,
    max === Infinity ? null : `at most ${max}`,
  ];
  const bounds = words.filter((word) => word !== null).join(" and ");
  throw new KvError("INVALID_ARGUMENT", `${option} ${text} must be a number, ${bounds}`);
}

/** One of some words. Throws INVALID_ARGUMENT. */
export function parseWord<Word extends string>(option: string, text: string, words: readonly Word[]): Word {
  const found = words.find((word) => word === text);
  if (found !== undefined) return found;
  throw new KvError("INVALID_ARGUMENT", `${option} ${text} is none of ${words.join(", ")}`);
}
