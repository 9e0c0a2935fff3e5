import { ERRORS, KvError, type ErrorCode } from "../model/errors.ts";
import type { Version } from "../model/position.ts";
import type { DocumentView, MemberStatus, PromotionReport, ReplicaStatus } from "../model/status.ts";
import { isObject, parseJsonObject } from "../wire/json-value.ts";
import { ProtocolError } from "../wire/protocol-error.ts";
import type { KnownLeader } from "./local-member.ts";

/** A member's account of itself, for another node's `kv status`. */
export interface StatusAnswer {
  readonly status: MemberStatus;
  readonly known: KnownLeader;
}

/** What one copy holds of a key, for another node's `kv explain`. */
export interface CopyAnswer {
  readonly role: MemberStatus["role"];
  readonly version: Version | null;
  readonly lagEntries: number;
  readonly lagMs: number;
}

/** Where a SCAN cursor goes on: the last key given out, in hex; null when it is forgotten. */
export interface PositionAnswer {
  readonly position: string | null;
}

/** What a JSON answer between nodes may hold. */
export type PeerAnswer = StatusAnswer | CopyAnswer | PromotionReport | PositionAnswer;

/** `{"ok": …}`, or `{"error": {code, message, details}}`. */
export function encodeAnswer(answer: PeerAnswer | KvError): Buffer {
  if (!(answer instanceof KvError)) return Buffer.from(JSON.stringify({ ok: answer }), "utf8");
  const { code, message, details } = answer;
  return Buffer.from(JSON.stringify({ error: { code, message, details } }), "utf8");
}

/** Reads an answer with `read`, which validates what stands under "ok". Throws ProtocolError. */
export function decodeAnswer<Answer>(body: Buffer, read: (value: Fields) => Answer): Answer | KvError {
  const { ok, error } = parseJsonObject(body);
  if (isObject(ok)) return read(ok);
  if (!isObject(error)) throw new ProtocolError("An answer is neither a result nor an error");
  const { code, message, details } = error;
  const known = typeof code === "string" && isErrorCode(code) ? code : "INTERNAL";
  return new KvError(known, String(message), { details: isObject(details) ? details : {} });
}

export type Fields = Readonly<Record<string, unknown>>;
type Readers<Shape> = { readonly [Field in keyof Shape]: (value: unknown) => Shape[Field] };

export function readStatusAnswer(value: Fields): StatusAnswer {
  return { status: shape(value["status"], MEMBER_STATUS), known: shape(value["known"], KNOWN_LEADER) };
}

export function readCopyAnswer(value: Fields): CopyAnswer {
  return shape(value, COPY);
}

export function readPromotionReport(value: Fields): PromotionReport {
  return shape(value, PROMOTION_REPORT);
}

export function readPositionAnswer(value: Fields): PositionAnswer {
  return shape(value, POSITION);
}

const text = (value: unknown): string => {
  if (typeof value === "string") return value;
  throw new ProtocolError("An answer holds something else where a text belongs");
};
const number = (value: unknown): number => {
  if (typeof value === "number") return value;
  throw new ProtocolError("An answer holds something else where a number belongs");
};
const truth = (value: unknown): boolean => {
  if (typeof value === "boolean") return value;
  throw new ProtocolError("An answer holds something else where true or false belongs");
};
const role = (value: unknown): MemberStatus["role"] => {
  if (value === "leader" || value === "replica" || value === "none") return value;
  throw new ProtocolError("An answer holds something else where a role belongs");
};
const orNull =
  <Value>(read: (value: unknown) => Value) =>
  (value: unknown): Value | null =>
    value === null ? null : read(value);
const list =
  <Value>(read: (value: unknown) => Value) =>
  (value: unknown): readonly Value[] => {
    if (Array.isArray(value)) return value.map((item: unknown) => read(item));
    throw new ProtocolError("An answer holds something else where a list belongs");
  };

const REPLICA_STATUS: Readers<ReplicaStatus> = {
  node: text,
  inSync: truth,
  connected: truth,
  durableSequence: number,
  lagEntries: number,
  lagMs: number,
};
const DOCUMENT: Readers<DocumentView> = {
  epoch: number,
  version: number,
  leader: text,
  inSync: list(text),
  members: list(text),
  minInSync: number,
};
const MEMBER_STATUS: Readers<MemberStatus> = {
  node: text,
  role,
  state: text,
  ready: truth,
  epoch: number,
  store: text,
  lastSequence: number,
  durableSequence: number,
  commitSequence: number,
  appliedSequence: number,
  lagEntries: number,
  lagMs: number,
  keyCount: number,
  logBytes: number,
  treeFileBytes: number,
  treeLiveBytes: number,
  memtableBytes: number,
  diskFreeBytes: number,
  readOnlyReason: orNull(text),
  discardedEntriesFile: orNull(text),
  readsPerSecond: number,
  writesPerSecond: number,
  unknownOutcomes: number,
  leaseRefusals: number,
  replicas: list((value) => shape(value, REPLICA_STATUS)),
  document: orNull((value) => shape(value, DOCUMENT)),
  documentFault: orNull(text),
};
const KNOWN_LEADER: Readers<KnownLeader> = { epoch: number, term: text, leader: orNull(text) };
const COPY: Readers<CopyAnswer> = { role, version: orNull(number), lagEntries: number, lagMs: number };
const POSITION: Readers<PositionAnswer> = { position: orNull(text) };
const PROMOTION_REPORT: Readers<PromotionReport> = {
  shard: text,
  node: text,
  done: truth,
  ledAlready: truth,
  findings: list(text),
  refusal: orNull(text),
  epoch: number,
  missingEntries: number,
};

/** Reads an object whose fields `readers` name; a missing or wrong one is refused, others are left out. */
function shape<Shape extends object>(value: unknown, readers: Readers<Shape>): Shape {
  if (!isObject(value)) throw new ProtocolError("An answer holds something else where an object belongs");
  const result: Partial<Shape> = {};
  for (const field in readers) result[field] = readers[field](value[field]);
  // Every field of Shape has its reader, so that none is missing now.
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion
  return result as Shape;
}

function isErrorCode(code: string): code is ErrorCode {
  return Object.hasOwn(ERRORS, code);
}
