import type { Failed, SwapResult } from "./coordinator.ts";

/** What a call came to: a result, or how much is known of one that has none. */
export type CallOutcome<Result> =
  | { readonly kind: "understood"; readonly result: Result }
  | { readonly kind: "failed" | "unknown"; readonly reason: string };

/** For calls that change nothing: of them nothing can be unknown. */
export function resultOfQuery<Result>(outcome: CallOutcome<Result>): Result | Failed {
  return outcome.kind === "understood" ? outcome.result : { kind: "failed", reason: outcome.reason };
}

export function resultOfSwap(outcome: CallOutcome<SwapResult>): SwapResult {
  return outcome.kind === "understood" ? outcome.result : { kind: outcome.kind, reason: outcome.reason };
}
