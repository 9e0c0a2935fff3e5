import type { RequestOptions } from "./operation.ts";

/** Whether an `eventual` read must show more than some committed prefix: what its asker has seen, or what is fresh enough. */
export function isBounded(options: RequestOptions): boolean {
  return options.seen !== undefined || options.maxLagMs !== undefined;
}
