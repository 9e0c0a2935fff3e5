import { LIMITS } from "../model/limits.ts";
import type { Expiry } from "../model/operation.ts";
import { parseWholeNumber } from "./whole-number.ts";

const TTL_SECONDS_MAX = LIMITS.ttlMsMax / 1000;

/** The parameter `ttl`: whole seconds, at least one. Without it a key does not expire. Throws INVALID_ARGUMENT. */
export function expiryOfTtl(ttl: string | undefined): Expiry {
  if (ttl === undefined) return { kind: "none" };
  return { kind: "after", ms: parseWholeNumber("ttl", ttl, { min: 1, max: TTL_SECONDS_MAX }) * 1000 };
}
