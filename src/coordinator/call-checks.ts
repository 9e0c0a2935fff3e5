import { LIMITS } from "../model/limits.ts";
import type { Swap } from "./coordinator.ts";

const SEGMENT = String.raw`\/[A-Za-z0-9_.:[\]-]{1,255}`;
const KEY = new RegExp(`^(?:${SEGMENT}){1,8}$`);
const PREFIX = new RegExp(`^(?:${SEGMENT}){1,8}\\/$`);
const REVISION = /^(?:0|[1-9]\d{0,18})$/;

/** What is wrong with a key, as a sentence without its end; null when it can be asked for. */
export function keyFault(key: string): string | null {
  return KEY.test(key)
    ? null
    : `${JSON.stringify(key.slice(0, 64))} is no key: a path such as /kv/india/meta is wanted`;
}

/** The same of a prefix of keys. */
export function prefixFault(prefix: string): string | null {
  const shown = JSON.stringify(prefix.slice(0, 64));
  return PREFIX.test(prefix) ? null : `${shown} is no prefix of keys: a path such as /kv/india/shards/ is wanted`;
}

/** The same of a whole swap: it is checked before anything is sent, so that a refusal is certain. */
export function swapFault(key: string, { expectedRevision, value }: Swap): string | null {
  const fault = keyFault(key);
  if (fault !== null) return fault;
  if (!isRevision(expectedRevision)) return `${JSON.stringify(expectedRevision.slice(0, 64))} is no revision`;
  if (!value.isWellFormed()) return "The value has a lone surrogate, which UTF-8 cannot hold";
  const byteCount = Buffer.byteLength(value, "utf8");
  return byteCount <= LIMITS.documentBytesMax
    ? null
    : `The value has ${byteCount} bytes, more than ${LIMITS.documentBytesMax}`;
}

/** Whether a text is a revision: a decimal number without leading zeros. */
export function isRevision(text: string): boolean {
  return REVISION.test(text);
}
