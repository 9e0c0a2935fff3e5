import { isUtf8 } from "node:buffer";
import { LIMITS } from "../model/limits.ts";
import { ProtocolError } from "./protocol-error.ts";

/**
 * Parses JSON of another node as untrusted input: valid UTF-8, at most `LIMITS.jsonDepthMax` deep, no `__proto__`.
 * The caller has checked the length. Throws ProtocolError.
 */
export function parseJson(bytes: Buffer): unknown {
  if (!isUtf8(bytes)) throw new ProtocolError("A JSON value is not UTF-8");
  let value: unknown;
  try {
    value = JSON.parse(bytes.toString("utf8"));
  } catch {
    throw new ProtocolError("A JSON value is malformed");
  }
  checkShape(value);
  return value;
}

/** As `parseJson`, and it must be an object (not null, not a list). */
export function parseJsonObject(bytes: Buffer): Readonly<Record<string, unknown>> {
  const value = parseJson(bytes);
  if (!isObject(value)) throw new ProtocolError("A JSON value is not an object");
  return value;
}

export function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/** Level by level instead of by recursion, so that depth costs no stack. */
function checkShape(root: unknown): void {
  let level: unknown[] = [root];
  for (let depth = 0; level.length > 0; depth++) {
    if (depth > LIMITS.jsonDepthMax) throw new ProtocolError("A JSON value is nested too deeply");
    const next: unknown[] = [];
    for (const value of level) {
      if (typeof value !== "object" || value === null) continue;
      if (Object.hasOwn(value, "__proto__")) throw new ProtocolError("A JSON value has a field __proto__");
      for (const child of Object.values(value)) if (typeof child === "object" && child !== null) next.push(child);
    }
    level = next;
  }
}
