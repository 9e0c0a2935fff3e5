import type { ShardStore } from "../shard/shard-store.ts";
import { logEndOf } from "./member-account.ts";
import type { MemberEnvironment } from "./member-environment.ts";
import type { Hello } from "./messages.ts";

/** What a replica says of itself to the leader that it wants to follow (§2.6). `boot` names its process. */
export function greetingOf(parts: {
  readonly env: MemberEnvironment;
  readonly store: ShardStore;
  readonly boot: string;
}): Hello {
  const { env, store, boot } = parts;
  const { state } = env.stateFile;
  const { epoch, term } = state.seenEpoch;
  return { ...logEndOf(store), store: state.store, boot, epoch, term, complete: isWhole(env) };
}

/** Whether this member's copy is whole: no rows of another one's are on their way into it. */
export function isWhole({ stateFile }: MemberEnvironment): boolean {
  return stateFile.state.bootstrap === null;
}
