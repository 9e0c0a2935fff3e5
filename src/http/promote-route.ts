import { KvError } from "../model/errors.ts";
import type { Gateway } from "../node/gateway.ts";
import type { PromotionReport, PromotionRequest } from "../model/status.ts";
import { type Answer, jsonAnswer } from "./answer.ts";
import { requireMediaType } from "./content-type.ts";
import { JsonFields } from "./json-fields.ts";
import { problemAnswer } from "./problem.ts";
import { refuseOptions } from "./request-options.ts";
import type { Route } from "./route.ts";
import { snakeCaseMembers } from "./snake-case.ts";
import { parseStrictJson } from "./strict-json.ts";

const BODY_BYTES_MAX = 4096;

/** `POST /v1/promote` with `{"shard","node"[,"dry_run","accept_data_loss"]}`: the operator's failover. */
export function promoteRoute(gateway: Gateway): Route {
  return changeRoute("/v1/promote", gateway, parsePromotion);
}

/** `POST /v1/handover` with `{"shard","node"}`: the present leader gives the leadership to `node`, and no client hears an error. */
export function handoverRoute(gateway: Gateway): Route {
  return changeRoute("/v1/handover", gateway, parseHandover);
}

function changeRoute(name: string, gateway: Gateway, parse: (body: Buffer) => PromotionRequest): Route {
  return {
    name,
    prepare: (head) => {
      requireMediaType(head.headers, "application/json");
      refuseOptions(head);
      return {
        bodyBytesMax: BODY_BYTES_MAX,
        run: (body, respond) => {
          const request = parse(body);
          gateway.promote(request, (report) => respond(promotionAnswer(request, report)));
        },
      };
    },
  };
}

function parseHandover(body: Buffer): PromotionRequest {
  const fields = new JsonFields("body", parseStrictJson(body));
  const shard = fields.text("shard");
  const node = fields.text("node");
  fields.refuseRest();
  return { shard, node, dryRun: false, acceptDataLoss: false, isHandover: true };
}

function parsePromotion(body: Buffer): PromotionRequest {
  const fields = new JsonFields("body", parseStrictJson(body));
  const request = {
    shard: fields.text("shard"),
    node: fields.text("node"),
    dryRun: fields.flag("dry_run"),
    acceptDataLoss: fields.flag("accept_data_loss"),
    isHandover: false,
  };
  fields.refuseRest();
  return request;
}

/** What a dry run finds is an answer even when it finds against; a promotion that did not happen is an error. */
function promotionAnswer(request: PromotionRequest, report: PromotionReport | KvError): Answer {
  if (report instanceof KvError) return problemAnswer(report);
  const members = snakeCaseMembers(report);
  if (request.dryRun || report.done) return jsonAnswer(200, members);
  const message = report.refusal ?? "The leader was not changed";
  return problemAnswer(new KvError("PROMOTION_REFUSED", message, { details: { report: members } }));
}
