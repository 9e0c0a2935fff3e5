import { KvError } from "../model/errors.ts";
import type { Gateway } from "../node/gateway.ts";
import type { Key } from "../model/key.ts";
import type { Answerer, Reply, Result } from "../model/operation.ts";
import type { Version } from "../model/position.ts";
import type { Record } from "../model/record.ts";
import { type Answer, headerValue } from "./answer.ts";
import { etagOf } from "./preconditions.ts";
import { problemAnswer } from "./problem.ts";

/** A reply that came from a shard, its result not a failure. */
export type GoodReply = Extract<Reply, { ok: true }>;

/**
 * Who answered, in what role, which version, and how far behind it may be: on every answer about a key.
 * Version 0 stands for a key that does not exist.
 */
export function truthHeaders(answerer: Answerer, version: Version): string[] {
  return [
    "KV-Shard",
    headerValue(answerer.shard),
    "KV-Node",
    headerValue(answerer.node),
    "KV-Role",
    answerer.role,
    "KV-Version",
    String(version),
    "KV-Lag-Ms",
    String(Math.ceil(answerer.lagMs)),
  ];
}

/** A stored value as it is: bytes, the type it was stored with, and nothing that a browser could run in our name. */
export function valueAnswer(record: Record, answerer: Answerer): Answer {
  return {
    status: 200,
    headers: [
      "Content-Type",
      record.contentType === "" ? "application/octet-stream" : record.contentType,
      "ETag",
      etagOf(record.version),
      "Cache-Control",
      "no-cache",
      "X-Content-Type-Options",
      "nosniff",
      "Content-Security-Policy",
      "sandbox",
      ...truthHeaders(answerer, record.version),
    ],
    body: record.value,
  };
}

/** The answer to a request on `key` that failed without a word from its shard: what this node knows of who should answer. */
export function failedKeyAnswer(gateway: Gateway, key: Key, error: KvError): Answer {
  const { shard } = gateway.leaderOf(key);
  return problemAnswer(error, ["KV-Shard", headerValue(shard), "KV-Node", headerValue(gateway.node)]);
}

/** Answers for results that mean the same on every path: nothing there, condition not met, failed. */
export function refusalAnswer(reply: GoodReply): Answer {
  const { result, answerer } = reply;
  return problemAnswer(refusalOf(result), truthHeaders(answerer, versionSeen(result)));
}

/** The error that a result amounts to when it is not what was asked for. */
export function refusalOf(result: Result): KvError {
  if (result.kind === "failed") return result.error;
  if (result.kind === "absent") return new KvError("NOT_FOUND", "The key does not exist");
  if (result.kind === "not-met") {
    const found = result.old === null ? "The key does not exist" : `The key is at version ${result.old.version}`;
    return new KvError("PRECONDITION_FAILED", `${found}, which is not what the request demands`);
  }
  return new KvError("INTERNAL", `The shard answered with ${result.kind}, which does not fit the request`);
}

function versionSeen(result: Result): Version {
  return result.kind === "not-met" && result.old !== null ? result.old.version : 0;
}
