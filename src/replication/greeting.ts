import { LIMITS } from "../model/limits.ts";
import type { ShardStore } from "../shard/shard-store.ts";
import { logEndOf } from "./member-account.ts";
import type { MemberEnvironment } from "./member-environment.ts";
import type { Hello, Pull } from "./messages.ts";

const PULL_WAIT_MS = 1000;

/** What a replica says of itself to the leader that it wants to follow (§2.6). `boot` names its process. */
export function greetingOf(parts: {
  readonly env: MemberEnvironment;
  readonly store: ShardStore;
  readonly boot: string;
}): Omit<Hello, "greeting"> {
  const { env, store, boot } = parts;
  const { state } = env.stateFile;
  const { epoch, term } = state.seenEpoch;
  return { ...logEndOf(store), store: state.store, boot, epoch, term, complete: isWhole(env) };
}

/** What a replica asks its leader for: all that follows the end of its log (§2.6). */
export function demandOf(parts: {
  readonly env: MemberEnvironment;
  readonly store: ShardStore;
}): Pick<Pull, "fromSeq" | "lastEpoch" | "lastTerm" | "complete" | "maxBytes" | "waitMs"> {
  const { lastSequence, lastEpoch, lastTerm } = logEndOf(parts.store);
  const limits = { maxBytes: LIMITS.pullBytesMax, waitMs: PULL_WAIT_MS };
  return { fromSeq: lastSequence + 1, lastEpoch, lastTerm, complete: isWhole(parts.env), ...limits };
}

/** Whether this member's copy is whole: no rows of another one's are on their way into it. */
function isWhole({ stateFile }: MemberEnvironment): boolean {
  return stateFile.state.bootstrap === null;
}
