import { KvError } from "../model/errors.ts";
import type { Key } from "../model/key.ts";
import { LIMITS } from "../model/limits.ts";
import type { KeyOperation } from "../model/operation.ts";
import { type Answer, jsonAnswer } from "./answer.ts";
import { requireMediaType } from "./content-type.ts";
import { expiryOfTtl } from "./expiry.ts";
import type { KeyDesk } from "./key-desk.ts";
import { type GoodReply, refusalAnswer, truthHeaders, valueAnswer } from "./key-answers.ts";
import { keyRequest, keyWork, takeKey } from "./key-request.ts";
import type { RequestHead } from "./request-head.ts";
import type { PathKind } from "./request-options.ts";
import type { Route, Work } from "./route.ts";

const FORM_TYPE = "application/x-www-form-urlencoded";
/** Every byte of a key and a value may be percent-encoded; the rest is names and options. */
const FORM_BYTES_MAX: number = 3 * (LIMITS.valueBytesMax + LIMITS.keyBytesMax) + 1024;

/** What one of the plain paths does, once its parameters are complete. */
interface PlainOperation {
  readonly kind: PathKind;
  readonly operation: (head: RequestHead, key: Key) => KeyOperation;
  readonly answer: (reply: GoodReply) => Answer;
}

const GET: PlainOperation = {
  kind: "read",
  operation: (_head, key) => ({ kind: "get", key }),
  answer: (reply) =>
    reply.result.kind === "value" ? valueAnswer(reply.result.record, reply.answerer) : refusalAnswer(reply),
};

const SET: PlainOperation = {
  kind: "write",
  operation: (head, key) => ({
    kind: "set",
    key,
    value: takeValue(head),
    contentType: "",
    expiry: expiryOfTtl(head.parameters.take("ttl")),
    condition: null,
    returnOld: false,
  }),
  answer: (reply) => {
    const { result, answerer } = reply;
    if (result.kind !== "written") return refusalAnswer(reply);
    const { version } = result;
    return jsonAnswer(200, { shard: answerer.shard, version }, truthHeaders(answerer, version));
  },
};

const DELETE: PlainOperation = {
  kind: "write",
  operation: (_head, key) => ({ kind: "delete", key, condition: null }),
  answer: (reply) => {
    const { result, answerer } = reply;
    if (result.kind !== "deleted" && result.kind !== "absent") return refusalAnswer(reply);
    const version = result.kind === "deleted" ? result.version : 0;
    const deleted = result.kind === "deleted";
    return jsonAnswer(200, { shard: answerer.shard, deleted }, truthHeaders(answerer, version));
  },
};

/**
 * `/get`, `/set` and `/delete`: the interface of the small system. Any method; parameters in the query, in a form body, or
 * some here and some there.
 */
export function plainRoutes(desk: KeyDesk): ReadonlyMap<string, Route> {
  return new Map([
    ["/get", plainRoute("/get", desk, GET)],
    ["/set", plainRoute("/set", desk, SET)],
    ["/delete", plainRoute("/delete", desk, DELETE)],
  ]);
}

function plainRoute(name: string, desk: KeyDesk, plain: PlainOperation): Route {
  return {
    name,
    prepare: (head): Work => ({
      bodyBytesMax: FORM_BYTES_MAX,
      run: (body, respond) => {
        if (body.length > 0) addForm(head, body);
        const key = takeKey(head);
        const operation = plain.operation(head, key);
        const work = keyWork(keyRequest(desk, head, key, plain.kind), {
          bodyBytesMax: 0,
          operation: () => operation,
          answer: plain.answer,
        });
        work.run(body, respond);
      },
    }),
  };
}

function addForm(head: RequestHead, body: Buffer): void {
  requireMediaType(head.headers, FORM_TYPE);
  head.parameters.add(body);
}

function takeValue(head: RequestHead): Buffer {
  const value = head.parameters.takeBytes("value");
  if (value === undefined) throw new KvError("INVALID_ARGUMENT", "The parameter value is missing");
  if (value.length <= LIMITS.valueBytesMax) return value;
  throw new KvError("VALUE_TOO_LARGE", `The value has ${value.length} bytes; the limit is ${LIMITS.valueBytesMax}`);
}
