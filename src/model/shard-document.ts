import { decodeDocument, DOCUMENT_VERSION, DocumentFields, invalid, textItem } from "./document-fields.ts";
import { isSameStore, type Leadership } from "./leadership.ts";
import type { Epoch, NodeName, StoreRef, Term } from "./position.ts";

/** Why a shard document was written last (§2.4). */
export type ShardChange = "create" | "promote" | "restart" | "handover" | "shrink" | "expand" | "members" | "unclean";

/** The configuration of one shard as the coordinator holds it (D2). Immutable: every change makes a new one. */
export interface ShardDocument {
  /** +1 on every change; unlike revisions it survives a rebuild of the coordinator. */
  readonly version: number;
  readonly epoch: Epoch;
  /** Of the epoch (rule G6): drawn by whoever wrote the document that began it. */
  readonly term: Term;
  readonly leader: StoreRef;
  /** The leader first or not; it is always among them. */
  readonly inSync: readonly StoreRef[];
  /** Desired placement. */
  readonly members: readonly NodeName[];
  readonly minInSync: number;
  /** +1 on every promotion that may have lost acknowledged writes. */
  readonly lineage: number;
  /** Unique per write: by it a writer recognises its own success (rule C3). */
  readonly token: string;
  readonly cause: ShardChange;
}

const CAUSES: readonly ShardChange[] = [
  "create",
  "promote",
  "restart",
  "handover",
  "shrink",
  "expand",
  "members",
  "unclean",
];
const NODE_PATTERN = /^[A-Za-z0-9_.:[\]-]{1,255}$/;
const STORE_PATTERN = /^[A-Za-z0-9-]{1,64}$/;
const TERM_PATTERN = /^[0-9a-f]{16}$/;
const TOKEN_PATTERN = /^[\x21-\x7e]{1,512}$/;
const UINT32_MAX = 0xffff_ffff;
/** Far below what logs and counters can hold: a document of nonsense must not use up the numbers that are still to come. */
const EPOCH_MAX = 0xf000_0000;
const VERSION_MAX = 2 ** 52;
const MEMBERS_MAX = 64;

/** The document as JSON text. What was decoded encodes to an equal document, and the other way round. */
export function encodeShardDocument(document: ShardDocument): string {
  const { version, epoch, term, leader, inSync, members, minInSync, lineage, token, cause } = document;
  return JSON.stringify({
    v: DOCUMENT_VERSION,
    ver: version,
    epoch,
    term,
    leader: encodeStore(leader),
    isr: inSync.map(encodeStore),
    members,
    min_in_sync: minInSync,
    lineage,
    token,
    cause,
  });
}

/**
 * Reads `shards/<id>`; `what` names it in messages. Throws KvError DOCUMENT_INVALID, whatever the text: a shard then keeps its
 * role or stops, but never crashes.
 */
export function decodeShardDocument(text: string, what = "the shard document"): ShardDocument {
  return decodeDocument(text, what, (fields) => {
    const document: ShardDocument = {
      version: fields.whole("ver", { min: 1, max: VERSION_MAX }),
      epoch: fields.whole("epoch", { min: 1, max: EPOCH_MAX }),
      term: fields.text("term", TERM_PATTERN, "is not a term of 16 hexadecimal digits"),
      leader: decodeStore(fields.object("leader")),
      inSync: fields.list("isr", MEMBERS_MAX, (value, path) => decodeStore(new DocumentFields(value, path))),
      members: fields.list("members", MEMBERS_MAX, (value, path) => textItem(value, path, NODE_PATTERN)),
      minInSync: fields.whole("min_in_sync", { min: 1, max: MEMBERS_MAX }),
      lineage: fields.whole("lineage", { min: 0, max: UINT32_MAX }),
      token: fields.text("token", TOKEN_PATTERN, "is not a token of 1 to 512 visible characters"),
      cause: fields.choice("cause", CAUSES),
    };
    check(document, what);
    return document;
  });
}

/** The leadership that a document describes; the version of the document stands for that of the set. */
export function leadershipOf(document: ShardDocument): Leadership {
  const { epoch, term, leader, lineage, inSync, version } = document;
  return { epoch, term, leader, lineage, inSync, setVersion: version };
}

function encodeStore({ node, store, generation }: StoreRef): object {
  return { node, store, gen: generation };
}

function decodeStore(fields: DocumentFields): StoreRef {
  const store = {
    node: fields.text("node", NODE_PATTERN, "is not a node's name"),
    store: fields.text("store", STORE_PATTERN, "is not a store id"),
    generation: fields.whole("gen", { min: 0, max: Number.MAX_SAFE_INTEGER }),
  };
  fields.refuseOthers();
  return store;
}

/** What has to hold between the members of a document. */
function check({ leader, inSync, members }: ShardDocument, what: string): void {
  if (!inSync.some((store) => isSameStore(store, leader))) throw invalid(`${what}.isr does not hold the leader`);
  if (new Set(inSync.map(({ node }) => node)).size < inSync.length) throw invalid(`${what}.isr names a node twice`);
  if (members.length === 0) throw invalid(`${what}.members is empty`);
  if (new Set(members).size < members.length) throw invalid(`${what}.members names a node twice`);
}
