import type { Respond } from "./answer.ts";
import type { RequestHead } from "./request-head.ts";

/** What is left to do once the head has been understood. */
export interface Work {
  /** A larger body is refused while it arrives; 0 means that the request takes none. */
  readonly bodyBytesMax: number;
  /** Throws KvError for a body that is malformed; otherwise calls `respond` exactly once, now or later. */
  run(body: Buffer, respond: Respond): void;
}

/** One kind of request. `name` labels its metrics. */
export interface Route {
  readonly name: string;
  /** Checks everything that the head can tell, before a byte of the body is read. Throws KvError. */
  prepare(head: RequestHead): Work;
}

/** Work of a request without a body. */
export function withoutBody(run: (respond: Respond) => void): Work {
  return { bodyBytesMax: 0, run: (_body, respond) => run(respond) };
}
