import { KvError } from "../model/errors.ts";
import type { Condition } from "../model/operation.ts";
import type { Version } from "../model/position.ts";
import type { RequestHeaders } from "./request-headers.ts";

/** What `If-Match` or `If-None-Match` names: any version at all, or one. */
export type Tag = { readonly kind: "any" } | { readonly kind: "version"; readonly version: Version };

/** The conditions of a request as they stand in its headers. */
export interface Preconditions {
  readonly ifMatch: Tag | null;
  readonly ifNoneMatch: Tag | null;
}

/**
 * Reads the conditional headers. A tag is `*` or one version in quotes, a decimal number up to 2⁵³−1; weak tags and lists
 * name nothing that this server ever gives out. Throws INVALID_ARGUMENT.
 */
export function readPreconditions(headers: RequestHeaders): Preconditions {
  return {
    ifMatch: readTag("If-Match", headers.get("if-match")),
    ifNoneMatch: readTag("If-None-Match", headers.get("if-none-match")),
  };
}

/** The condition of a PUT: `If-Match` a version or `*` (any), or `If-None-Match: *`. Throws INVALID_ARGUMENT. */
export function writeCondition({ ifMatch, ifNoneMatch }: Preconditions): Condition | null {
  if (ifNoneMatch === null) return matchCondition(ifMatch);
  if (ifMatch !== null) throw new KvError("INVALID_ARGUMENT", "If-Match and If-None-Match exclude each other");
  if (ifNoneMatch.kind === "any") return { kind: "absent" };
  throw new KvError("INVALID_ARGUMENT", "On a write, If-None-Match takes only *");
}

/** The condition of a DELETE: `If-Match` only. Throws INVALID_ARGUMENT. */
export function deleteCondition({ ifMatch, ifNoneMatch }: Preconditions): Condition | null {
  if (ifNoneMatch !== null) throw new KvError("INVALID_ARGUMENT", "If-None-Match has no meaning for a delete");
  return matchCondition(ifMatch);
}

/** Whether `tag` names a key at `version`; null stands for a key that does not exist. */
export function tagMatches(tag: Tag, version: Version | null): boolean {
  if (version === null) return false;
  return tag.kind === "any" || tag.version === version;
}

export function etagOf(version: Version): string {
  return `"${version}"`;
}

function matchCondition(ifMatch: Tag | null): Condition | null {
  if (ifMatch === null) return null;
  return ifMatch.kind === "any" ? { kind: "present" } : { kind: "version", version: ifMatch.version };
}

function readTag(name: string, text: string | undefined): Tag | null {
  if (text === undefined) return null;
  if (text === "*") return { kind: "any" };
  const digits = /^"(0|[1-9]\d{0,15})"$/.exec(text)?.[1];
  const version = Number(digits);
  if (digits !== undefined && Number.isSafeInteger(version)) return { kind: "version", version };
  throw new KvError("INVALID_ARGUMENT", `${name} must be * or one version in quotes, such as "17"`);
}
