import { KvError } from "../model/errors.ts";
import { type Key, keyOfBytes } from "../model/key.ts";
import { LIMITS } from "../model/limits.ts";
import type { Condition, KeyOperation } from "../model/operation.ts";
import { expiryOfTtl } from "./expiry.ts";
import { JsonFields } from "./json-fields.ts";
import { type JsonValue, parseStrictJson } from "./strict-json.ts";
import { parseWholeNumber } from "./whole-number.ts";

/**
 * Parses `{"ops":[…]}`: 1 to 1,000 objects with one member each, the kind of operation:
 * `{"set":{"key","value"[,"ttl","content_type","if_match","if_none_match"]}}`, `{"delete":{"key"[,"if_match"]}}`,
 * `{"get":{"key"}}`; keys and values that are not text carry `"key_encoding":"base64"`, `"value_encoding":"base64"`.
 * Throws INVALID_ARGUMENT, KEY_EMPTY or KEY_TOO_LONG; then nothing of the batch is done.
 */
export function parseBatchBody(body: Buffer): KeyOperation[] {
  const fields = new JsonFields("body", parseStrictJson(body));
  const items = fields.list("ops");
  fields.refuseRest();
  if (items.length === 0 || items.length > LIMITS.batchOperationsMax) {
    throw new KvError("INVALID_ARGUMENT", `body.ops must hold 1 to ${LIMITS.batchOperationsMax} operations`);
  }
  return items.map((item, index) => parseOperation(`ops[${index}]`, item));
}

function parseOperation(place: string, item: JsonValue): KeyOperation {
  const fields = new JsonFields(place, item);
  const [kind, ...others] = fields.names;
  if (kind === undefined || others.length > 0 || (kind !== "set" && kind !== "delete" && kind !== "get")) {
    throw new KvError("INVALID_ARGUMENT", `${place} must have one member: set, delete or get`);
  }
  const operand = new JsonFields(`${place}.${kind}`, fields.take(kind) ?? null);
  const operation = parseOperand(kind, operand);
  operand.refuseRest();
  return operation;
}

function parseOperand(kind: "set" | "delete" | "get", fields: JsonFields): KeyOperation {
  const key = takeKey(fields);
  if (kind === "get") return { kind, key };
  if (kind === "delete") return { kind, key, condition: takeCondition(fields, false) };
  return {
    kind,
    key,
    value: takeBytes(fields, "value"),
    contentType: takeContentType(fields),
    expiry: expiryOfTtl(fields.optionalInteger("ttl")),
    condition: takeCondition(fields, true),
    returnOld: false,
  };
}

function takeKey(fields: JsonFields): Key {
  return keyOfBytes(takeBytes(fields, "key"));
}

function takeBytes(fields: JsonFields, name: "key" | "value"): Buffer {
  const text = fields.text(name);
  const encoding = fields.optionalText(`${name}_encoding`);
  if (encoding === undefined) return Buffer.from(text, "utf8");
  if (encoding !== "base64") throw fields.fault(`${name}_encoding`, "must be base64, or left out");
  const bytes = Buffer.from(text, "base64");
  // The decoder skips what it does not know; only text that comes out again was base64.
  if (bytes.toString("base64") !== text) throw fields.fault(name, "is not valid base64");
  return bytes;
}

function takeContentType(fields: JsonFields): string {
  const contentType = fields.optionalText("content_type") ?? "";
  if (contentType.length <= LIMITS.contentTypeBytesMax && /^[\x20-\x7e]*$/.test(contentType)) return contentType;
  throw fields.fault("content_type", `must be printable ASCII of at most ${LIMITS.contentTypeBytesMax} bytes`);
}

/** `"if_match"`: a version or `"*"`; `"if_none_match"`: only `"*"`. */
function takeCondition(fields: JsonFields, mayBeAbsent: boolean): Condition | null {
  const match = takeMatch(fields);
  const noneMatch = mayBeAbsent ? fields.optionalText("if_none_match") : undefined;
  if (noneMatch === undefined) return match;
  if (noneMatch !== "*") throw fields.fault("if_none_match", 'must be "*"');
  if (match !== null) throw fields.fault("if_none_match", "and if_match exclude each other");
  return { kind: "absent" };
}

function takeMatch(fields: JsonFields): Condition | null {
  const value = fields.peek("if_match");
  if (value === undefined) return null;
  if (value === "*") {
    fields.take("if_match");
    return { kind: "present" };
  }
  const digits = fields.optionalInteger("if_match") ?? "";
  return { kind: "version", version: parseWholeNumber("if_match", digits, { min: 0, max: Number.MAX_SAFE_INTEGER }) };
}
