import { KvError } from "../model/errors.ts";
import { LIMITS } from "../model/limits.ts";
import type { ScanItem } from "../model/operation.ts";
import type { ClusterScan, Gateway } from "../node/gateway.ts";
import { jsonAnswer, type Respond } from "./answer.ts";
import type { CursorCodec } from "./cursor.ts";
import type { KeyDesk } from "./key-desk.ts";
import type { Parameters } from "./parameters.ts";
import { problemAnswer } from "./problem.ts";
import type { RequestHead } from "./request-head.ts";
import { takeOptions } from "./request-options.ts";
import { type Work, withoutBody } from "./route.ts";
import type { SessionTokens } from "./session-token.ts";
import { keyMembers, valueMembers } from "./text-or-base64.ts";
import { parseWholeNumber } from "./whole-number.ts";

/** A scan as it was asked for: the page's bounds, and the query's shape, which its cursors are bound to. */
interface ScanRequest {
  readonly scan: ClusterScan;
  readonly shape: string;
  readonly isEmpty: boolean;
}

/** `GET /v1/kv`: one page of the cluster's keys in byte order. */
export function prepareScan({ gateway, tokens }: KeyDesk, cursors: CursorCodec, head: RequestHead): Work {
  const request = takeScan(head, cursors, tokens);
  head.parameters.refuseRest();
  return withoutBody((respond) => {
    if (request.isEmpty) respond(jsonAnswer(200, { items: [], cursor: null }));
    else scanPage({ gateway, cursors, request }, respond);
  });
}

function scanPage(
  { gateway, cursors, request }: { gateway: Gateway; cursors: CursorCodec; request: ScanRequest },
  respond: Respond,
): void {
  const { scan, shape } = request;
  gateway.scan(scan, (page) => {
    if (page instanceof KvError) {
      respond(problemAnswer(page));
      return;
    }
    const cursor = page.resumeKey === null ? null : cursors.encode(shape, page.resumeKey);
    respond(jsonAnswer(200, { items: page.items.map(itemMembers), cursor }));
  });
}

function takeScan(head: RequestHead, cursors: CursorCodec, tokens: SessionTokens): ScanRequest {
  const { parameters } = head;
  const prefix = takeBound(parameters, "prefix");
  const first = takeBound(parameters, "start");
  const last = takeBound(parameters, "end");
  const reverse = takeFlag(parameters, "reverse");
  const keysOnly = takeFlag(parameters, "keys_only");
  const rowsMax = takeLimit(parameters);
  const options = takeOptions(head, tokens, "read");
  const shape = JSON.stringify([prefix, first, last, reverse, keysOnly]);
  const cursor = parameters.take("cursor");
  const resumeKey = cursor === undefined ? null : cursors.decode(shape, cursor);
  let start = greater(prefix, first);
  let end = smallerBound(endOfPrefix(prefix), last);
  // The page before ended with this key; the next one starts right behind it.
  if (resumeKey !== null && reverse) end = smallerBound(end, resumeKey);
  if (resumeKey !== null && !reverse) start = greater(start, `${resumeKey}\0`);
  return { scan: { start, end, reverse, keysOnly, rowsMax, options }, shape, isEmpty: end !== "" && start >= end };
}

function takeLimit(parameters: Parameters): number {
  const limit = parameters.take("limit");
  if (limit === undefined) return LIMITS.scanRowsDefault;
  return parseWholeNumber("limit", limit, { min: 1, max: LIMITS.scanRowsMax });
}

function takeBound(parameters: Parameters, name: string): string {
  const bound = parameters.take(name) ?? "";
  if (bound.length <= LIMITS.keyBytesMax) return bound;
  throw new KvError("KEY_TOO_LONG", `${name} has ${bound.length} bytes; the limit is ${LIMITS.keyBytesMax}`);
}

function takeFlag(parameters: Parameters, name: string): boolean {
  const flag = parameters.take(name) ?? "false";
  if (flag === "true" || flag === "1") return true;
  if (flag === "false" || flag === "0") return false;
  throw new KvError("INVALID_ARGUMENT", `${name} must be true or false`);
}

function greater(a: string, b: string): string {
  return a > b ? a : b;
}

/** The smaller of two upper bounds, where empty means "none". */
function smallerBound(a: string, b: string): string {
  if (a === "" || b === "") return a === "" ? b : a;
  return a < b ? a : b;
}

/** The first key behind all keys that start with `prefix`; empty when there is none (it is empty, or only bytes 0xff). */
function endOfPrefix(prefix: string): string {
  let length = prefix.length;
  while (length > 0 && prefix.charCodeAt(length - 1) === 0xff) length--;
  if (length === 0) return "";
  return prefix.slice(0, length - 1) + String.fromCharCode(prefix.charCodeAt(length - 1) + 1);
}

/** With the value goes what was stored beside it, so that a row can be stored again elsewhere as it is. */
function itemMembers(item: ScanItem): unknown {
  const key = keyMembers(item.key);
  if (item.value === null) return { ...key, version: item.version };
  return {
    ...key,
    ...valueMembers(item.value),
    version: item.version,
    ...(item.contentType === "" ? {} : { content_type: item.contentType }),
    ...(item.expiryMs === 0 ? {} : { expires_at_ms: item.expiryMs }),
  };
}
