import { KvError } from "../model/errors.ts";
import { type Key, keyOfBinary } from "../model/key.ts";
import type { KeyOperation, RequestOptions } from "../model/operation.ts";
import { type Answer, emptyAnswer, headerValue, type Respond } from "./answer.ts";
import type { KeyDesk } from "./key-desk.ts";
import { failedKeyAnswer, type GoodReply } from "./key-answers.ts";
import { percentDecodePath } from "./percent.ts";
import type { RequestHead } from "./request-head.ts";
import { type PathKind, takeKeyOptions } from "./request-options.ts";
import type { Work } from "./route.ts";

/** What paths of keys start with; the rest is the key. */
export const KEY_PREFIX = "/v1/kv/";
/** The name of the route behind it, for metrics. */
export const KEY_ROUTE = "/v1/kv/{key}";

/** A request on one key, its key and options taken from the head. */
export interface KeyRequest {
  readonly desk: KeyDesk;
  readonly head: RequestHead;
  readonly key: Key;
  readonly options: RequestOptions;
  readonly redirect: boolean;
}

/** What a kind of key request does with its body, and what it makes of the reply. */
export interface KeyWork {
  readonly bodyBytesMax: number;
  readonly operation: (body: Buffer) => KeyOperation;
  readonly answer: (reply: GoodReply) => Answer;
}

/** The part of a path after its prefix, decoded once, as a key. Throws INVALID_ARGUMENT, KEY_EMPTY or KEY_TOO_LONG. */
export function keyOfPath(encoded: string): Key {
  return keyOfBinary(percentDecodePath(encoded));
}

/** The parameter `key`, as a key. Throws KEY_EMPTY when it is missing. */
export function takeKey(head: RequestHead): Key {
  return keyOfBinary(head.parameters.take("key") ?? "");
}

/** Takes the options; what is left of the parameters belongs to the route. */
export function keyRequest(desk: KeyDesk, head: RequestHead, key: Key, kind: PathKind): KeyRequest {
  return { desk, head, key, ...takeKeyOptions(head, desk.tokens, kind) };
}

/** Refuses what nobody took, then redirects or runs. */
export function keyWork(request: KeyRequest, work: KeyWork): Work {
  const { desk, head, key, options, redirect } = request;
  head.parameters.refuseRest();
  const elsewhere = redirect ? redirection(request) : null;
  if (elsewhere !== null) return { bodyBytesMax: work.bodyBytesMax, run: (_body, respond) => respond(elsewhere) };
  return {
    bodyBytesMax: work.bodyBytesMax,
    run: (body, respond) => execute({ desk, key, options, work, body }, respond),
  };
}

function execute(
  parts: { desk: KeyDesk; key: Key; options: RequestOptions; work: KeyWork; body: Buffer },
  respond: Respond,
): void {
  const { key, options, work, body } = parts;
  const { gateway, tokens } = parts.desk;
  gateway.execute(work.operation(body), options, (reply) => {
    respond(reply.ok ? tokens.on(work.answer(reply), reply) : failedKeyAnswer(gateway, key, reply.error));
  });
}

/** 307 to the leader; null when this node is the leader. Throws NO_LEADER when there is nobody to go to. */
function redirection({ desk, head, key }: KeyRequest): Answer | null {
  const { gateway } = desk;
  const { shard, leader } = gateway.leaderOf(key);
  if (leader === null) throw new KvError("NO_LEADER", `No leader of shard ${shard} is known`);
  if (leader === gateway.node) return null;
  return emptyAnswer(307, [
    "Location",
    `http://${leader}${encodeHighBytes(head.target)}`,
    "KV-Shard",
    headerValue(shard),
    "KV-Node",
    headerValue(gateway.node),
  ]);
}

/** Bytes above ASCII are tolerated in a target but not in a Location. */
function encodeHighBytes(target: string): string {
  return target.replace(/[\x80-\xff]/g, (byte) => `%${byte.charCodeAt(0).toString(16).toUpperCase()}`);
}
