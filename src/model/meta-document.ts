import { decodeDocument, DOCUMENT_VERSION, invalid } from "./document-fields.ts";
import { SLOT_COUNT } from "./slot.ts";

/** What a cluster is, written once by whoever makes it (§2.4). */
export interface MetaDocument {
  /** A UUID: tells this cluster from another of the same name, and from its own restored past (rule C5). */
  readonly clusterId: string;
  /** As ISO 8601, for people. */
  readonly createdAt: string;
}

const HASH_NAME = "fnv1-64";
const UUID_PATTERN = /^[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}$/;
const TIME_PATTERN = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d{1,9})?Z$/;

/** The document as JSON text; how keys are placed is part of it, since it can never change. */
export function encodeMetaDocument({ clusterId, createdAt }: MetaDocument): string {
  return JSON.stringify({ v: DOCUMENT_VERSION, clusterId, slots: SLOT_COUNT, hash: HASH_NAME, createdAt });
}

/** Reads `meta`. Throws KvError DOCUMENT_INVALID, also when the cluster places its keys in another way than this program. */
export function decodeMetaDocument(text: string): MetaDocument {
  return decodeDocument(text, "meta", (fields) => {
    const slotCount = fields.whole("slots", { min: 1, max: Number.MAX_SAFE_INTEGER });
    const hash = fields.text("hash", /^.{1,64}$/, "is not the name of a hash");
    if (slotCount !== SLOT_COUNT || hash !== HASH_NAME) {
      throw invalid(`meta places keys by ${hash} in ${slotCount} slots, this program by ${HASH_NAME} in ${SLOT_COUNT}`);
    }
    return {
      clusterId: fields.text("clusterId", UUID_PATTERN, "is not a UUID"),
      createdAt: fields.text("createdAt", TIME_PATTERN, "is not a time"),
    };
  });
}
