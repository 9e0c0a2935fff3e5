import { JsonFields } from "./json-fields.ts";
import { parseStrictJson } from "./strict-json.ts";

const BY_MIN = -(2n ** 63n);
const BY_MAX = 2n ** 63n - 1n;

/** `{"by": N}` with a 64-bit integer; without a body, or without `by`, it is 1. Throws INVALID_ARGUMENT. */
export function parseIncrementBody(body: Buffer): bigint {
  if (body.length === 0) return 1n;
  const fields = new JsonFields("body", parseStrictJson(body));
  const digits = fields.optionalInteger("by") ?? "1";
  fields.refuseRest();
  // A body of a kilobyte cannot make this conversion slow.
  const by = BigInt(digits);
  if (by < BY_MIN || by > BY_MAX) throw fields.fault("by", "does not fit into 64 bits");
  return by;
}
