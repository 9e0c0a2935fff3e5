import { LIMITS } from "../model/limits.ts";
import type { Follower } from "./follower.ts";
import type { LeaderTerm } from "./leader-term.ts";
import type { LogFetch } from "./log-fetch.ts";
import type { MemberState } from "./member-environment.ts";
import type { Promotion } from "./promotion.ts";

/** What a member does at the moment; exactly one of these at any time. */
export type Duty =
  | { readonly kind: "starting" }
  /** Leads as soon as it has fetched what another member's log holds beyond its own. */
  | { readonly kind: "catching-up"; readonly fetch: LogFetch }
  | { readonly kind: "leading"; readonly term: LeaderTerm }
  | { readonly kind: "following"; readonly follower: Follower }
  | { readonly kind: "promoting"; readonly promotion: Promotion }
  /** Asks the coordinator for the leadership, silent towards everybody else until that is certain (rule L6). */
  | { readonly kind: "candidate"; readonly candidacy: { end(): void } | null }
  /** Leaving a role: the write and flush under way are waited for (§2.10). */
  | { readonly kind: "changing"; readonly sinceMs: number }
  | { readonly kind: "waiting"; readonly reason: string; readonly sinceMs: number };

/** The role that a duty amounts to for everybody else. */
export function roleOf(duty: Duty): "leader" | "replica" | "none" {
  if (duty.kind === "leading") return "leader";
  return duty.kind === "following" ? "replica" : "none";
}

/** Whether a member serves as it should; the sentence says what it does, or why it does not serve. */
export interface Readiness {
  readonly ready: boolean;
  readonly reason: string;
}

/** A change of roles takes milliseconds unless the disk hangs. */
const CHANGE_MS_USUAL = 3000;

/** `nowMs` is on the clock that the duty's beginning was read from. */
export function readinessOf(duty: Duty, state: MemberState, nowMs: number): Readiness {
  switch (duty.kind) {
    case "leading":
      return duty.term.isOpen
        ? { ready: true, reason: "leads" }
        : { ready: false, reason: "leads, and waits for its first entry to be committed" };
    case "following":
      return readinessOfReplica(duty.follower, state);
    case "waiting":
      return { ready: false, reason: duty.reason };
    case "catching-up":
      return { ready: false, reason: "fetches the end of the log before it leads" };
    case "candidate":
      return { ready: false, reason: "asks the coordinator for the leadership" };
    case "promoting":
      return { ready: false, reason: "is being promoted" };
    case "changing":
      return { ready: false, reason: reasonOfChange(nowMs - duty.sinceMs) };
    case "starting":
      return { ready: false, reason: "is starting" };
  }
}

function reasonOfChange(durationMs: number): string {
  if (durationMs < CHANGE_MS_USUAL) return "is changing its role";
  const seconds = Math.floor(durationMs / 1000);
  return `is changing its role, and waits for a flush that has not returned for ${seconds} s: look at the disk`;
}

function readinessOfReplica(follower: Follower, state: MemberState): Readiness {
  const { leader } = follower;
  const { reason } = follower.refusal;
  const but = reason === null ? "" : `, which refuses: ${reason}`;
  if (state.bootstrap !== null) return { ready: false, reason: `copies its data from ${leader}${but}` };
  if (!follower.isStreaming) return { ready: false, reason: `tries to reach leader ${leader}${but}` };
  const lag = follower.lag();
  const isClose = lag.entries <= LIMITS.readyLagEntriesMax && lag.ms <= LIMITS.readyLagMsMax;
  if (!isClose) return { ready: false, reason: `is ${lag.entries} entries and ${lag.ms} ms behind leader ${leader}` };
  return { ready: true, reason: `follows ${leader}` };
}
