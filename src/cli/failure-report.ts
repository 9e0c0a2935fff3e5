import { type ErrorCode, KvError } from "../model/errors.ts";
import { CommandFailure } from "./command-failure.ts";
import { UsageError } from "./usage-error.ts";

/** What to do next, where the message does not say it. */
const ADVICE: Partial<Record<ErrorCode, string>> = {
  NO_LEADER: "kv status shows which members answer, and what comes of it",
  NOT_READY: "the node is starting or copying; try again in a moment, kv status shows how far it is",
  NOT_ENOUGH_REPLICAS:
    "kv status shows who is missing; in static mode kv promote --node <the present leader> goes on without it",
  DISK_FULL: "make room on the leader's disk; it goes on by itself",
  UNKNOWN_OUTCOME: "read the key to see whether it was stored",
  PRECONDITION_FAILED: "read the key, then decide again",
  OVERLOADED: "try again in a moment, or send less at a time",
};

/**
 * Says on standard error what went wrong and what to do. Returns the exit code: 1, or 2 for wrong usage. An error that
 * nobody foresaw is shown whole.
 */
export function reportFailure(program: string, error: unknown): 1 | 2 {
  if (error instanceof UsageError) {
    process.stderr.write(`${program}: ${error.message}\n`);
    return 2;
  }
  if (error instanceof CommandFailure) {
    process.stderr.write(`${program}: ${error.message}\n`);
    return 1;
  }
  if (error instanceof KvError) {
    const advice = ADVICE[error.code];
    process.stderr.write(`${program}: ${error.message}${advice === undefined ? "" : `\n  ${advice}`}\n`);
    return 1;
  }
  const detail = error instanceof Error ? (error.stack ?? error.message) : String(error);
  process.stderr.write(`${program}: unforeseen: ${detail}\n`);
  return 1;
}
