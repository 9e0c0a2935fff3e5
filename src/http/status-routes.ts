import { KvError } from "../model/errors.ts";
import type { Key } from "../model/key.ts";
import type { Gateway } from "../node/gateway.ts";
import { jsonAnswer, type Respond } from "./answer.ts";
import type { HttpMetrics } from "./metrics.ts";
import { problemAnswer } from "./problem.ts";
import type { RequestHead } from "./request-head.ts";
import { refuseOptions } from "./request-options.ts";
import { type Route, type Work, withoutBody } from "./route.ts";
import { snakeCaseMembers } from "./snake-case.ts";
import { keyMembers } from "./text-or-base64.ts";

/** `GET /v1/cluster`: shards, members, lag. */
export function clusterRoute(gateway: Gateway): Route {
  return {
    name: "/v1/cluster",
    prepare: (head) => {
      refuseOptions(head);
      return withoutBody((respond) => gateway.cluster((status) => respond(jsonAnswer(200, snakeCaseMembers(status)))));
    },
  };
}

/** `GET /v1/member`: what this node tells those who make the cluster's documents. */
export function memberRoute(gateway: Gateway): Route {
  return {
    name: "/v1/member",
    prepare: (head) => {
      refuseOptions(head);
      return withoutBody((respond) => respond(jsonAnswer(200, snakeCaseMembers(gateway.account()))));
    },
  };
}

/** `GET /v1/explain/{key}`: hash, slot, shard, and what each copy holds. */
export function prepareExplain(gateway: Gateway, head: RequestHead, key: Key): Work {
  refuseOptions(head);
  return withoutBody((respond) =>
    gateway.explain(key, ({ key: explained, ...rest }) => {
      respond(jsonAnswer(200, snakeCaseMembers({ ...keyMembers(explained), ...rest })));
    }),
  );
}

/** `GET /healthz`: the process answers. */
export const healthRoute: Route = {
  name: "/healthz",
  prepare: (head) => {
    refuseOptions(head);
    return withoutBody((respond) => respond(jsonAnswer(200, { live: true })));
  },
};

/** `GET /readyz`: whether this node should get traffic; the sentence says why not. */
export function readinessRoute(gateway: Gateway): Route {
  return {
    name: "/readyz",
    prepare: (head) => {
      refuseOptions(head);
      return withoutBody((respond) => {
        const { ready, reason } = gateway.readiness();
        respond(ready ? jsonAnswer(200, { ready }) : problemAnswer(new KvError("NOT_READY", reason)));
      });
    },
  };
}

/** `GET /metrics`, for Prometheus. */
export function metricsRoute(metrics: HttpMetrics): Route {
  return {
    name: "/metrics",
    prepare: (head) => {
      refuseOptions(head);
      return withoutBody((respond) => {
        // Left alone on purpose: a failure is a fault of the program and ends the process as an unhandled rejection.
        void answerMetrics(metrics, respond);
      });
    },
  };
}

async function answerMetrics(metrics: HttpMetrics, respond: Respond): Promise<void> {
  const text = await metrics.render();
  const headers = ["Content-Type", metrics.contentType, "Cache-Control", "no-store"];
  respond({ status: 200, headers, body: Buffer.from(text, "utf8") });
}
