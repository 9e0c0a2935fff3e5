import { KvError } from "../model/errors.ts";
import type { Key } from "../model/key.ts";
import { batchRoute } from "./batch-route.ts";
import { CursorCodec } from "./cursor.ts";
import type { KeyDesk } from "./key-desk.ts";
import { KEY_PREFIX, KEY_ROUTE, keyOfPath, takeKey } from "./key-request.ts";
import { prepareDelete, prepareGet, prepareIncrement, preparePut } from "./key-routes.ts";
import type { HttpMetrics } from "./metrics.ts";
import { plainRoutes } from "./plain-routes.ts";
import { handoverRoute, promoteRoute } from "./promote-route.ts";
import type { RequestHead } from "./request-head.ts";
import type { Route, Work } from "./route.ts";
import { prepareScan } from "./scan-route.ts";
import {
  clusterRoute,
  healthRoute,
  memberRoute,
  metricsRoute,
  prepareExplain,
  readinessRoute,
} from "./status-routes.ts";

const EXPLAIN_PREFIX = "/v1/explain/";
const INCREMENT_SUFFIX = "/increment";
/** Part of the interface, but of a later version. */
const LATER_PATHS: ReadonlySet<string> = new Set(["/v1/watch", "/openapi.json", "/"]);

const EVERY_METHOD = ["GET", "HEAD", "PUT", "POST", "DELETE"] as const;

type RoutesByMethod = ReadonlyMap<string, Route>;
type PrepareKey = (desk: KeyDesk, head: RequestHead, key: Key) => Work;

/** Finds the route of a request by method and path. Owns no state; a path that is not there is an error of its own kind. */
export class Router {
  readonly #anyMethod: ReadonlyMap<string, Route>;
  readonly #exact: ReadonlyMap<string, RoutesByMethod>;
  readonly #keyByPath: RoutesByMethod;
  readonly #explainByPath: RoutesByMethod;

  constructor(parts: KeyDesk & { readonly cluster: string; readonly metrics: HttpMetrics }) {
    const { gateway, tokens, cluster, metrics } = parts;
    const desk = { gateway, tokens };
    const cursors = new CursorCodec(cluster);
    this.#anyMethod = plainRoutes(desk);
    this.#exact = new Map([
      ["/v1/kv", collectionRoutes(desk, cursors)],
      ["/v1/batch", new Map([["POST", batchRoute(desk)]])],
      ["/v1/promote", new Map([["POST", promoteRoute(gateway)]])],
      ["/v1/handover", new Map([["POST", handoverRoute(gateway)]])],
      ["/v1/cluster", readable(clusterRoute(gateway))],
      ["/v1/member", readable(memberRoute(gateway))],
      [
        "/v1/explain",
        readable({ name: "/v1/explain", prepare: (head) => prepareExplain(gateway, head, takeKey(head)) }),
      ],
      ["/healthz", readable(healthRoute)],
      ["/readyz", readable(readinessRoute(gateway))],
      ["/metrics", readable(metricsRoute(metrics))],
    ]);
    this.#keyByPath = new Map([
      ...readable(keyPathRoute(desk, prepareGet)),
      ["PUT", keyPathRoute(desk, preparePut)],
      ["DELETE", keyPathRoute(desk, prepareDelete)],
      ["POST", incrementRoute(desk)],
    ]);
    this.#explainByPath = readable({
      name: "/v1/explain/{key}",
      prepare: (head) => prepareExplain(gateway, head, keyOfPath(head.path.slice(EXPLAIN_PREFIX.length))),
    });
  }

  /** Throws NO_SUCH_PATH, METHOD_NOT_ALLOWED (`details.allow` lists those allowed), INVALID_ARGUMENT or NOT_SUPPORTED. */
  find(method: string, path: string): Route {
    if (path.startsWith(KEY_PREFIX)) return byMethod(this.#keyByPath, method);
    const plain = this.#anyMethod.get(path);
    if (plain !== undefined) return plain;
    const exact = this.#exact.get(path);
    if (exact !== undefined) return byMethod(exact, method);
    if (path.startsWith(EXPLAIN_PREFIX)) return byMethod(this.#explainByPath, method);
    throw unknownPath(method, path);
  }
}

function byMethod(routes: RoutesByMethod, method: string): Route {
  const route = routes.get(method);
  if (route !== undefined) return route;
  throw methodNotAllowed("This path takes", [...routes.keys()]);
}

function methodNotAllowed(who: string, allow: readonly string[]): KvError {
  return new KvError("METHOD_NOT_ALLOWED", `${who} ${allow.join(", ")}`, { details: { allow } });
}

function unknownPath(method: string, path: string): KvError {
  if (LATER_PATHS.has(path)) {
    const isRead = method === "GET" || method === "HEAD";
    if (!isRead) return methodNotAllowed("This path will take", ["GET", "HEAD"]);
    return new KvError("NOT_SUPPORTED", `${path} is not supported by this version`);
  }
  // Asked of the server as a whole.
  if (path === "*" && method === "OPTIONS") return methodNotAllowed("This server takes", EVERY_METHOD);
  const version = /^\/v(\d{1,9})(?:\/|$)/.exec(path)?.[1];
  if (version !== undefined && version !== "1") {
    return new KvError("INVALID_ARGUMENT", `Version ${version} of the interface is not known; this is version 1`);
  }
  return new KvError("NO_SUCH_PATH", "There is nothing at this path");
}

function readable(route: Route): RoutesByMethod {
  return new Map([
    ["GET", route],
    ["HEAD", route],
  ]);
}

/** `/v1/kv`: a key given as a parameter, or a scan. */
function collectionRoutes(desk: KeyDesk, cursors: CursorCodec): RoutesByMethod {
  const getOrScan: Route = {
    name: "/v1/kv",
    prepare: (head) =>
      head.parameters.has("key") ? prepareGet(desk, head, takeKey(head)) : prepareScan(desk, cursors, head),
  };
  return new Map([
    ...readable(getOrScan),
    ["PUT", keyParameterRoute("/v1/kv", desk, preparePut)],
    ["DELETE", keyParameterRoute("/v1/kv", desk, prepareDelete)],
  ]);
}

function keyParameterRoute(name: string, desk: KeyDesk, prepare: PrepareKey): Route {
  return { name, prepare: (head) => prepare(desk, head, takeKey(head)) };
}

function keyPathRoute(desk: KeyDesk, prepare: PrepareKey): Route {
  return {
    name: KEY_ROUTE,
    prepare: (head) => prepare(desk, head, keyOfPath(head.path.slice(KEY_PREFIX.length))),
  };
}

/** Only a POST ends in `/increment`: GET and PUT of such a path mean the key that is called so. */
function incrementRoute(desk: KeyDesk): Route {
  return {
    name: "/v1/kv/{key}/increment",
    prepare: (head) => {
      const rest = head.path.slice(KEY_PREFIX.length);
      if (!rest.endsWith(INCREMENT_SUFFIX)) {
        const allow = ["GET", "HEAD", "PUT", "DELETE"];
        throw new KvError("METHOD_NOT_ALLOWED", "Of a key only …/increment takes POST", { details: { allow } });
      }
      return prepareIncrement(desk, head, keyOfPath(rest.slice(0, -INCREMENT_SUFFIX.length)));
    },
  };
}
