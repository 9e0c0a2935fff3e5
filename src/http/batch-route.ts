import { KvError } from "../model/errors.ts";
import { LIMITS } from "../model/limits.ts";
import type { Reply } from "../model/operation.ts";
import type { Record } from "../model/record.ts";
import { jsonAnswer } from "./answer.ts";
import { parseBatchBody } from "./batch-body.ts";
import { refuseContentEncoding, requireMediaType } from "./content-type.ts";
import type { KeyDesk } from "./key-desk.ts";
import { refusalOf } from "./key-answers.ts";
import { problemMembers } from "./problem.ts";
import { takeOptions } from "./request-options.ts";
import type { Route } from "./route.ts";
import type { SessionTokens } from "./session-token.ts";
import { valueMembers } from "./text-or-base64.ts";

/** `POST /v1/batch`: 200 once it was parsed, with one result for each operation, in order. */
export function batchRoute({ gateway, tokens }: KeyDesk): Route {
  return {
    name: "/v1/batch",
    prepare: (head) => {
      requireMediaType(head.headers, "application/json");
      refuseContentEncoding(head.headers);
      const options = takeOptions(head, tokens, "both");
      head.parameters.refuseRest();
      return {
        bodyBytesMax: LIMITS.batchBytesMax,
        run: (body, respond) => {
          const operations = parseBatchBody(body);
          gateway.executeBatch(operations, options, (replies) => {
            respond(jsonAnswer(200, { results: new BatchResults(tokens).render(replies) }));
          });
        },
      };
    },
  };
}

/**
 * Turns replies into the results of one answer.
 *
 * Owns the room that is left for values: a thousand reads of the largest value would be 16 GB in one answer. What does not
 * fit any more is refused for its own operation; reading it by itself works.
 */
class BatchResults {
  readonly #tokens: SessionTokens;
  #valueBytesLeft: number = LIMITS.batchBytesMax;

  constructor(tokens: SessionTokens) {
    this.#tokens = tokens;
  }

  render(replies: readonly Reply[]): unknown[] {
    return replies.map((reply) => this.#result(reply));
  }

  #result(reply: Reply): unknown {
    if (!reply.ok) return problemMembers(reply.error);
    const { result, answerer, position } = reply;
    const { shard } = answerer;
    const place = { shard, token: this.#tokens.encode(shard, position) };
    switch (result.kind) {
      case "value":
        return this.#value(place, result.record);
      case "written":
        return { status: result.created ? 201 : 200, ...OK, ...place, version: result.version };
      case "deleted":
        return { status: 204, ...OK, ...place, version: result.version };
      default:
        return { ...problemMembers(refusalOf(result)), ...place };
    }
  }

  #value(place: { readonly shard: string; readonly token: string }, record: Record): unknown {
    if (record.value.length > this.#valueBytesLeft) {
      const message = "The values of this batch do not fit into one answer: read this key by itself";
      return { ...problemMembers(new KvError("VALUE_TOO_LARGE", message)), ...place };
    }
    this.#valueBytesLeft -= record.value.length;
    const contentType = record.contentType === "" ? {} : { content_type: record.contentType };
    return { status: 200, ...OK, ...place, version: record.version, ...valueMembers(record.value), ...contentType };
  }
}

const OK = { code: "OK", outcome: "ok" } as const;
