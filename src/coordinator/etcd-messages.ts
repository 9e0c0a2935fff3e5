import { isUtf8 } from "node:buffer";
import { isRevision } from "./call-checks.ts";
import type { ListResult, ReadResult, StoredDocument, Swap, SwapResult } from "./coordinator.ts";
import type { JsonAnswer } from "./json-answer.ts";

/**
 * Requests and answers of etcd's JSON gateway (etcd 3.4 and later). Keys and values are base64; 64-bit numbers are decimal texts;
 * members with a default value (0, false, "") are left out.
 */
export const ETCD_PATHS = {
  range: "/v3/kv/range",
  transaction: "/v3/kv/txn",
  watch: "/v3/watch",
  authenticate: "/v3/auth/authenticate",
} as const;

/** More documents than a cluster of the largest size has. */
const LIST_COUNT_MAX = 10_000;
const BASE64 = /^(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?$/;

/** One key, linearizable: `serializable` is never set (rule C6). */
export function rangeOfKey(key: string): string {
  return JSON.stringify({ key: toBase64(key) });
}

/** `prefix` ends with a slash; the first key behind all of its keys is the one with the next character instead. */
export function rangeOfPrefix(prefix: string): string {
  const end = `${prefix.slice(0, -1)}0`;
  return JSON.stringify({ key: toBase64(prefix), range_end: toBase64(end), limit: String(LIST_COUNT_MAX) });
}

/** Put, if the key's last change is the one expected (rule C1); 0 stands for a key that does not exist. */
export function transactionOf(key: string, { expectedRevision, value }: Swap): string {
  const name = toBase64(key);
  return JSON.stringify({
    compare: [{ key: name, target: "MOD", result: "EQUAL", mod_revision: expectedRevision }],
    success: [{ request_put: { key: name, value: toBase64(value) } }],
  });
}

export function watchOf(key: string): string {
  return JSON.stringify({ create_request: { key: toBase64(key) } });
}

/** null when the answer is none that etcd gives. */
export function decodeRange(answer: JsonAnswer): ReadResult | null {
  const documents = documentsOf(answer);
  if (documents === null) return null;
  const [document] = documents;
  if (document === undefined) return { kind: "absent" };
  if (document === NOT_TEXT) return { kind: "failed", reason: "The document in etcd is not UTF-8" };
  return { kind: "value", value: document.value, revision: document.revision };
}

export function decodeRanges(answer: JsonAnswer): ListResult | null {
  const documents = documentsOf(answer);
  if (documents === null) return null;
  if (answer.truth("more") === true) {
    return { kind: "failed", reason: `etcd has more than ${LIST_COUNT_MAX} documents` };
  }
  const readable = documents.filter((document) => document !== NOT_TEXT);
  if (readable.length < documents.length) return { kind: "failed", reason: "A document in etcd is not UTF-8" };
  return { kind: "documents", documents: readable };
}

export function decodeTransaction(answer: JsonAnswer): SwapResult | null {
  const revision = revisionOf(answer);
  if (revision === null) return null;
  return answer.truth("succeeded") === true ? { kind: "accepted", revision } : { kind: "refused" };
}

/** Of the whole store, when the request was served: of an accepted swap, the key's new one. */
function revisionOf(answer: JsonAnswer): string | null {
  const revision = answer.object("header")?.text("revision");
  return revision !== undefined && isRevision(revision) ? revision : null;
}

/** Stands for a document that another program wrote. */
const NOT_TEXT = "not text";

function documentsOf(answer: JsonAnswer): (StoredDocument | typeof NOT_TEXT)[] | null {
  // Without a header it is not etcd's answer, and "no documents" would be a lie.
  if (revisionOf(answer) === null) return null;
  const documents: (StoredDocument | typeof NOT_TEXT)[] = [];
  for (const pair of answer.objects("kvs") ?? []) {
    const key = fromBase64(pair.text("key") ?? "");
    const value = fromBase64(pair.text("value") ?? "");
    const revision = pair.text("mod_revision");
    if (key === null || revision === undefined || !isRevision(revision)) return null;
    documents.push(value === null ? NOT_TEXT : { key, value, revision });
  }
  return documents;
}

function toBase64(text: string): string {
  return Buffer.from(text, "utf8").toString("base64");
}

/** null when it is no base64, or no UTF-8. */
function fromBase64(text: string): string | null {
  if (!BASE64.test(text)) return null;
  const bytes = Buffer.from(text, "base64");
  return isUtf8(bytes) ? bytes.toString("utf8") : null;
}
