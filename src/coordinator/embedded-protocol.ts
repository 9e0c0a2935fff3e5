import { LIMITS } from "../model/limits.ts";
import type { ListResult, ReadResult, StoredDocument, SwapResult } from "./coordinator.ts";
import { isRevision } from "./call-checks.ts";
import type { JsonAnswer } from "./json-answer.ts";

/**
 * The protocol of the embedded coordinator: JSON over HTTP, each request a POST.
 *
 * | path | request | answer |
 * |---|---|---|
 * | /v1/read | `{"key"}` | `{"found":true,"value","revision"}` or `{"found":false}` |
 * | /v1/swap | `{"key","expected","value"}` | `{"accepted":true,"revision"}` or `{"accepted":false}` |
 * | /v1/list | `{"prefix"}` | `{"documents":[{"key","value","revision"}]}` |
 * | /v1/watch | `{"key"}` | lines without end: `{"changed":true}` at first and at every change, else `{"alive":true}` |
 *
 * Whatever is refused answers `{"error","outcome"}`, where the outcome is `not_applied` or `unknown`.
 */
export const EMBEDDED_PATHS = {
  read: "/v1/read",
  swap: "/v1/swap",
  list: "/v1/list",
  watch: "/v1/watch",
} as const;

/** Escaping doubles the quotes of a document; a document of nothing else does not exist. */
export const REQUEST_BYTES_MAX: number = 2 * LIMITS.documentBytesMax + 4096;
/** How often a watch says that it is there. */
export const ALIVE_MS = 5000;

export const CHANGED_LINE = '{"changed":true}\n';
export const ALIVE_LINE = '{"alive":true}\n';

/** null when the answer is none that the protocol knows. */
export function decodeReadAnswer(answer: JsonAnswer): ReadResult | null {
  if (answer.truth("found") === false) return { kind: "absent" };
  const value = answer.text("value");
  const revision = answer.text("revision");
  if (answer.truth("found") !== true || value === undefined || revision === undefined) return null;
  return isRevision(revision) ? { kind: "value", value, revision } : null;
}

export function decodeSwapAnswer(answer: JsonAnswer): SwapResult | null {
  if (answer.truth("accepted") === false) return { kind: "refused" };
  const revision = answer.text("revision");
  if (answer.truth("accepted") !== true || revision === undefined || !isRevision(revision)) return null;
  return { kind: "accepted", revision };
}

export function decodeListAnswer(answer: JsonAnswer): ListResult | null {
  const documents: StoredDocument[] = [];
  const items = answer.objects("documents");
  if (items === undefined) return null;
  for (const item of items) {
    const [key, value, revision] = [item.text("key"), item.text("value"), item.text("revision")];
    if (key === undefined || value === undefined || revision === undefined || !isRevision(revision)) return null;
    documents.push({ key, value, revision });
  }
  return { kind: "documents", documents };
}
