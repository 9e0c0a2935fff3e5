import type { Result } from "../model/operation.ts";
import type { Record } from "../model/record.ts";

/** What "describe" answers about a row that is there. */
export function describeRecord({ value, version, expiryMs }: Record): Result {
  return { kind: "described", length: value.length, version, expiryMs };
}
