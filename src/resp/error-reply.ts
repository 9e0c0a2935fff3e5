import { ERRORS, type ErrorCode, KvError } from "../model/errors.ts";
import { CommandError } from "./command-error.ts";

/** What Redis says where one of our errors means the same. */
const TEXTS: Partial<Record<ErrorCode, string>> = {
  NOT_AN_INTEGER: "ERR value is not an integer or out of range",
  INTEGER_OVERFLOW: "ERR increment or decrement would overflow",
  NOT_A_FLOAT: "ERR value is not a valid float",
  FLOAT_OVERFLOW: "ERR increment would produce NaN or Infinity",
};

/** The line of an error reply, without the `-` before it and the line end behind it. Anything unforeseen is thrown on. */
export function errorText(error: unknown): string {
  if (error instanceof CommandError) return error.message;
  if (!(error instanceof KvError)) throw error;
  return TEXTS[error.code] ?? `${ERRORS[error.code].resp} ${error.message}`;
}
