import { DEFAULT_OPTIONS, type KeyOperation, type Reply, type ReplyCallback } from "../model/operation.ts";
import type { Gateway } from "../node/gateway.ts";
import type { Answer } from "./answer.ts";
import type { HotMethod, HotRequest } from "./hot-request.ts";
import type { KeyDesk } from "./key-desk.ts";
import { failedKeyAnswer, type GoodReply } from "./key-answers.ts";
import { deleteAnswer, getAnswer, putAnswer, putOperation } from "./key-routes.ts";
import type { Preconditions } from "./preconditions.ts";

const NO_EXPIRY = { kind: "none" } as const;
const NO_CONDITIONS: Preconditions = { ifMatch: null, ifNoneMatch: null };

/** Carries out a hot request: what its route does when there are no parameters, options and conditions. */
export function executeHot(gateway: Gateway, request: HotRequest, body: Buffer, done: ReplyCallback): void {
  gateway.execute(operationOf(request, body), DEFAULT_OPTIONS, done);
}

/** The answer that its route would give. */
export function hotAnswer({ gateway, tokens }: KeyDesk, { method, key }: HotRequest, reply: Reply): Answer {
  if (!reply.ok) return failedKeyAnswer(gateway, key, reply.error);
  return tokens.on(answerTo(method, reply), reply);
}

function answerTo(method: HotMethod, reply: GoodReply): Answer {
  if (method === "PUT") return putAnswer(reply);
  return method === "DELETE" ? deleteAnswer(reply) : getAnswer(reply, NO_CONDITIONS);
}

function operationOf({ method, key, headers }: HotRequest, body: Buffer): KeyOperation {
  if (method === "DELETE") return { kind: "delete", key, condition: null };
  if (method !== "PUT") return { kind: "get", key };
  return putOperation({ key, contentType: headers.contentType, expiry: NO_EXPIRY, condition: null }, body);
}
