import { ProtocolError } from "../wire/protocol-error.ts";
import type { InSyncMember, Leadership } from "../model/leadership.ts";
import type { StoreRef } from "../model/position.ts";
import type { EpochOfBase, IncomingMessage, MessageHeaders, MessageType } from "./messages.ts";

type Fields<Type extends MessageType> = { readonly [Field in keyof MessageHeaders[Type]]: (value: unknown) => unknown };

const EPOCH_MAX = 0xff00_0000;

const count = (value: unknown): number => {
  if (typeof value === "number" && Number.isSafeInteger(value) && value >= 0) return value;
  throw new ProtocolError(`Expected a whole number, found ${describe(value)}`);
};
/** A field that messages of older nodes do not have. */
const countOrZero = (value: unknown): number => (value === undefined ? 0 : count(value));
/** A number that log entries hold in 32 bits. */
const count32 = (value: unknown): number => {
  const read = count(value);
  if (read <= 0xffff_ffff) return read;
  throw new ProtocolError(`Expected a number of 32 bits, found ${describe(value)}`);
};
/** An epoch that leaves room for those to come: one at the very end of 32 bits would be the shard's last. */
const epochNumber = (value: unknown): number => {
  const read = count(value);
  if (read <= EPOCH_MAX) return read;
  throw new ProtocolError(`Expected an epoch up to ${EPOCH_MAX}, found ${describe(value)}`);
};
const text = (value: unknown): string => {
  if (typeof value === "string" && value.length <= 4096) return value;
  throw new ProtocolError(`Expected a text, found ${describe(value)}`);
};
const term = (value: unknown): string => {
  if (typeof value === "string" && /^[0-9a-f]{16}$/.test(value)) return value;
  throw new ProtocolError(`Expected a term of 16 hex digits, found ${describe(value)}`);
};
const truth = (value: unknown): boolean => {
  if (typeof value === "boolean") return value;
  throw new ProtocolError(`Expected true or false, found ${describe(value)}`);
};
const role = (value: unknown): "leader" | "replica" | "none" => {
  if (value === "leader" || value === "replica" || value === "none") return value;
  throw new ProtocolError(`Expected a role, found ${describe(value)}`);
};
const orNull =
  <Value>(read: (value: unknown) => Value) =>
  (value: unknown): Value | null =>
    value === null ? null : read(value);
const list =
  <Value>(read: (value: unknown) => Value) =>
  (value: unknown): Value[] => {
    if (Array.isArray(value) && value.length <= 100_000) return value.map((item) => read(item));
    throw new ProtocolError(`Expected a list, found ${describe(value)}`);
  };

const storeRef = (value: unknown): StoreRef => {
  const from = object(value);
  return { node: text(from["node"]), store: text(from["store"]), generation: count32(from["generation"]) };
};
const inSyncMember = (value: unknown): InSyncMember => {
  const from = object(value);
  return { node: text(from["node"]), store: orNull(text)(from["store"]), generation: count32(from["generation"]) };
};
const epochOfBase = (value: unknown): EpochOfBase => {
  const from = object(value);
  return {
    epoch: epochNumber(from["epoch"]),
    term: term(from["term"]),
    firstSequence: count(from["firstSequence"]),
    versionBase: count(from["versionBase"]),
    lineage: count32(from["lineage"]),
  };
};

/** Reads a leadership from JSON; also used for `node.json`. Throws ProtocolError. */
export function decodeLeadership(value: unknown): Leadership {
  const from = object(value);
  return {
    epoch: epochNumber(from["epoch"]),
    term: term(from["term"]),
    leader: storeRef(from["leader"]),
    lineage: count32(from["lineage"]),
    inSync: list(inSyncMember)(from["inSync"]),
    setVersion: count(from["setVersion"]),
  };
}

/** Reads the epochs that travel with a snapshot. Throws ProtocolError. */
export function decodeEpochs(bytes: Buffer): EpochOfBase[] {
  try {
    return list(epochOfBase)(JSON.parse(bytes.toString("utf8")));
  } catch (error) {
    if (error instanceof ProtocolError) throw error;
    throw new ProtocolError("The epochs of a snapshot are not JSON");
  }
}

const logEnd = { lastEpoch: epochNumber, lastTerm: term, lastSequence: count };

/** How each field of each message is read. A message with a field missing or of another kind is refused whole. */
const FIELDS: { readonly [Type in MessageType]: Fields<Type> } = {
  STATE_QUERY: { id: count },
  STATE: {
    ...logEnd,
    id: count,
    store: storeRef,
    seenEpoch: epochNumber,
    seenTerm: term,
    leadership: orNull(decodeLeadership),
    role,
    complete: truth,
    recovered: truth,
    inConflict: truth,
  },
  HELLO: { ...logEnd, greeting: count, store: storeRef, boot: text, epoch: epochNumber, term, complete: truth },
  WELCOME: { sid: text, greeting: count, leadership: decodeLeadership, boot: text },
  PULL: {
    sid: text,
    epoch: epochNumber,
    fromSeq: count,
    lastEpoch: epochNumber,
    lastTerm: term,
    durable: count,
    complete: truth,
    echo: count,
    maxBytes: count,
    waitMs: count,
    knownCommit: count,
    room: countOrZero,
  },
  ENTRIES: {
    sid: text,
    epoch: epochNumber,
    beacon: count,
    after: count,
    commit: count,
    leaseOk: truth,
    lastEcho: count,
    logEnd: count,
    logStart: count,
  },
  HB: {
    sid: text,
    epoch: epochNumber,
    beacon: count,
    commit: count,
    leaseOk: truth,
    lastEcho: count,
    logEnd: count,
    leadership: decodeLeadership,
  },
  HBACK: { sid: text, epoch: epochNumber, durable: count, echo: count, room: countOrZero },
  LEAVING: { boot: text },
  DIVERGED: { sid: text, epoch: epochNumber, dEpoch: epochNumber, dTerm: term, dEndSeq: count },
  SNAPSHOT_NEEDED: { sid: text, epoch: epochNumber, logStart: count },
  NOT_LEADER: { seenEpoch: epochNumber, leadership: orNull(decodeLeadership) },
  LEADING: { leadership: decodeLeadership },
  REFUSED: { code: text, reason: text },
  FETCH: { ...logEnd, id: count },
  FETCHED: { id: count, after: count, logEnd: count, isPrefix: truth },
  GET_RANGE: { sid: text, space: count, after: text, base: orNull(count) },
  RANGE: {
    sid: text,
    space: count,
    after: text,
    lastKey: orNull(text),
    mayHoldThrough: count,
    base: count,
    logClockMs: count,
  },
  STEP_DOWN: { id: count, epoch: epochNumber },
  STEPPED_DOWN: { ...logEnd, id: count },
  HAND_OVER: { id: count },
  HANDED_OVER: { id: count, refusal: orNull(text) },
  STORE_LEADERSHIP: { id: count, leadership: decodeLeadership },
  STORED_LEADERSHIP: { id: count, accepted: truth, store: storeRef, complete: truth },
};

/** Whether `type` is a message between members of a shard. */
export function isMessageType(type: string): type is MessageType {
  return Object.hasOwn(FIELDS, type);
}

/** Validates a message's JSON header. Throws ProtocolError: the connection is then closed. */
export function decodeMessage(type: MessageType, header: unknown, body: Buffer): IncomingMessage {
  const from = object(header);
  const decoded = Object.fromEntries(
    Object.entries<(value: unknown) => unknown>(FIELDS[type]).map(([field, read]) => [field, read(from[field])]),
  );
  return { type, header: decoded, body } as unknown as IncomingMessage;
}

function object(value: unknown): Readonly<Record<string, unknown>> {
  if (typeof value === "object" && value !== null && !Array.isArray(value)) return value as Record<string, unknown>;
  throw new ProtocolError(`Expected an object, found ${describe(value)}`);
}

function describe(value: unknown): string {
  return (JSON.stringify(value) ?? String(value)).slice(0, 60);
}
