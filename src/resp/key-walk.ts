import type { Timers } from "../base/clock.ts";
import type { KvError } from "../model/errors.ts";
import type { Key } from "../model/key.ts";
import { LIMITS } from "../model/limits.ts";
import { DEFAULT_OPTIONS } from "../model/operation.ts";
import type { Gateway } from "../node/gateway.ts";
import { literalPrefix } from "./glob.ts";

/** Keys from `start` on (included), below `end`; empty: no bound. */
export interface KeyRange {
  readonly start: string;
  readonly end: string;
}

export interface WalkParts {
  readonly gateway: Gateway;
  readonly timers: Timers;
}

/** Where a walk stopped: behind `resumeKey`, or at the end of the range when that is null. */
export type WalkEnd = { readonly resumeKey: string | null } | KvError;

export interface WalkSteps {
  /** How many rows the next page may have; 0 to stop. Asked before each page. */
  readonly rowsWanted: () => number;
  readonly visit: (keys: readonly Key[]) => void;
}

/**
 * Walks over the cluster's keys in byte order, page by page. Others get a turn of the loop between two pages. Every key that
 * is there during the whole walk is visited exactly once.
 */
export function walkKeys(parts: WalkParts, range: KeyRange, steps: WalkSteps, done: (end: WalkEnd) => void): void {
  const visitFrom = (start: string, resumeKey: string | null): void => {
    const rowsMax = Math.min(LIMITS.scanRowsMax, steps.rowsWanted());
    if (rowsMax <= 0) {
      done({ resumeKey });
      return;
    }
    const scan = { start, end: range.end, reverse: false, keysOnly: true, rowsMax, options: DEFAULT_OPTIONS };
    parts.gateway.scan(scan, (page) => {
      if (!("items" in page)) {
        done(page);
        return;
      }
      steps.visit(page.items.map(({ key }) => key));
      const resume = page.resumeKey;
      if (resume === null) done({ resumeKey: null });
      else parts.timers.soon(() => visitFrom(`${resume}\0`, resume));
    });
  };
  visitFrom(range.start, null);
}

/** The keys that can match a pattern: those that begin as it does. */
export function rangeOfPattern(pattern: string): KeyRange {
  const prefix = literalPrefix(pattern).slice(0, LIMITS.keyBytesMax);
  return { start: prefix, end: endOfPrefix(prefix) };
}

/** The first text behind everything that begins with `prefix`; empty when there is none. */
function endOfPrefix(prefix: string): string {
  const trimmed = prefix.replace(/\u00ff+$/, "");
  if (trimmed === "") return "";
  const last = trimmed.length - 1;
  return trimmed.slice(0, last) + String.fromCharCode(trimmed.charCodeAt(last) + 1);
}
