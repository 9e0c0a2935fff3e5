import { KvError } from "../model/errors.ts";
import type { Key } from "../model/key.ts";
import { LIMITS } from "../model/limits.ts";
import type { Condition, Expiry, GetOperation, SetOperation } from "../model/operation.ts";
import { type Answer, emptyAnswer, jsonAnswer, jsonTextAnswer } from "./answer.ts";
import { readContentType, refuseContentEncoding, requireMediaType } from "./content-type.ts";
import { expiryOfTtl } from "./expiry.ts";
import { parseIncrementBody } from "./increment-body.ts";
import type { KeyDesk } from "./key-desk.ts";
import { type GoodReply, refusalAnswer, truthHeaders, valueAnswer } from "./key-answers.ts";
import { keyRequest, keyWork } from "./key-request.ts";
import {
  deleteCondition,
  etagOf,
  type Preconditions,
  readPreconditions,
  tagMatches,
  writeCondition,
} from "./preconditions.ts";
import { problemAnswer } from "./problem.ts";
import type { RequestHead } from "./request-head.ts";
import type { Work } from "./route.ts";

const INCREMENT_BODY_BYTES_MAX = 1024;

/** `GET` and `HEAD` of a key. */
export function prepareGet(desk: KeyDesk, head: RequestHead, key: Key): Work {
  const conditions = readPreconditions(head.headers);
  const operation: GetOperation = { kind: "get", key };
  return keyWork(keyRequest(desk, head, key, "read"), {
    bodyBytesMax: 0,
    operation: () => operation,
    answer: (reply) => getAnswer(reply, conditions),
  });
}

/** `PUT` of a key: the body is the value. */
export function preparePut(desk: KeyDesk, head: RequestHead, key: Key): Work {
  const condition = writeCondition(readPreconditions(head.headers));
  const contentType = readContentType(head.headers);
  refuseContentEncoding(head.headers);
  const expiry = expiryOfTtl(head.parameters.take("ttl"));
  return keyWork(keyRequest(desk, head, key, "write"), {
    bodyBytesMax: LIMITS.valueBytesMax,
    operation: (value) => putOperation({ key, contentType, expiry, condition }, value),
    answer: putAnswer,
  });
}

/** What a PUT asks for. */
export function putOperation(
  put: { key: Key; contentType: string; expiry: Expiry; condition: Condition | null },
  value: Buffer,
): SetOperation {
  const { key, contentType, expiry, condition } = put;
  return { kind: "set", key, value, contentType, expiry, condition, returnOld: false };
}

/** `DELETE` of a key. */
export function prepareDelete(desk: KeyDesk, head: RequestHead, key: Key): Work {
  const condition = deleteCondition(readPreconditions(head.headers));
  return keyWork(keyRequest(desk, head, key, "write"), {
    bodyBytesMax: 0,
    operation: () => ({ kind: "delete", key, condition }),
    answer: deleteAnswer,
  });
}

/** `POST …/increment`. */
export function prepareIncrement(desk: KeyDesk, head: RequestHead, key: Key): Work {
  const { ifMatch, ifNoneMatch } = readPreconditions(head.headers);
  if (ifMatch !== null || ifNoneMatch !== null) {
    throw new KvError("INVALID_ARGUMENT", "An increment takes no If-Match or If-None-Match");
  }
  requireMediaType(head.headers, "application/json");
  refuseContentEncoding(head.headers);
  return keyWork(keyRequest(desk, head, key, "write"), {
    bodyBytesMax: INCREMENT_BODY_BYTES_MAX,
    operation: (body) => ({ kind: "increment", key, by: parseIncrementBody(body) }),
    answer: incrementAnswer,
  });
}

/** The answer to a GET. The order of the checks is RFC 9110 §13.2.2: If-Match, then If-None-Match. */
export function getAnswer(reply: GoodReply, { ifMatch, ifNoneMatch }: Preconditions): Answer {
  const { result, answerer } = reply;
  if (result.kind !== "value" && result.kind !== "absent") return refusalAnswer(reply);
  const version = result.kind === "value" ? result.record.version : null;
  if (ifMatch !== null && !tagMatches(ifMatch, version)) {
    const found = version === null ? "The key does not exist" : `The key is at version ${version}`;
    const error = new KvError("PRECONDITION_FAILED", `${found}, which is not what If-Match demands`);
    return problemAnswer(error, truthHeaders(answerer, version ?? 0));
  }
  if (result.kind === "absent") return refusalAnswer(reply);
  if (ifNoneMatch === null || !tagMatches(ifNoneMatch, version)) return valueAnswer(result.record, answerer);
  return emptyAnswer(304, ["ETag", etagOf(result.record.version), ...truthHeaders(answerer, result.record.version)]);
}

/** The answer to a PUT. */
export function putAnswer(reply: GoodReply): Answer {
  const { result, answerer } = reply;
  if (result.kind !== "written") return refusalAnswer(reply);
  const { version, created } = result;
  return jsonAnswer(created ? 201 : 200, { shard: answerer.shard, version }, [
    "ETag",
    etagOf(version),
    ...truthHeaders(answerer, version),
  ]);
}

/** The answer to a DELETE. */
export function deleteAnswer(reply: GoodReply): Answer {
  const { result, answerer } = reply;
  if (result.kind !== "deleted") return refusalAnswer(reply);
  return emptyAnswer(204, truthHeaders(answerer, result.version));
}

function incrementAnswer(reply: GoodReply): Answer {
  const { result, answerer } = reply;
  if (result.kind !== "incremented") return refusalAnswer(reply);
  const { value, version } = result;
  // All 64 bits, as digits: JSON numbers have no size, only some of their readers have.
  return jsonTextAnswer(200, `{"value":${value},"version":${version}}`, [
    "ETag",
    etagOf(version),
    ...truthHeaders(answerer, version),
  ]);
}
