import { KvError } from "../model/errors.ts";
import { LIMITS } from "../model/limits.ts";
import type { NodeName } from "../model/position.ts";
import { counts } from "./commit-rule.ts";
import type { InSyncKeeper } from "./in-sync-keeper.ts";
import type { MemberConfig, MemberEnvironment } from "./member-environment.ts";
import type { ReplicaSession } from "./replica-sessions.ts";

/** What is asked before a write is taken that needs the in-sync set. */
export interface InSyncRefusalParts {
  readonly env: Pick<MemberEnvironment, "clock">;
  readonly config: MemberConfig;
  readonly set: InSyncKeeper;
  readonly sessionOf: (node: NodeName) => ReplicaSession | undefined;
}

/** Why such a write is not taken (rule K5): a set that is too small, or a member of it that has been silent. Null when it is. */
export function inSyncRefusal({ env, config, set, sessionOf }: InSyncRefusalParts): KvError | null {
  const { inSync } = set.leadership;
  const { minInSync } = set;
  if (inSync.length < minInSync) {
    const count = inSync.length === 1 ? "1 member" : `${inSync.length} members`;
    return new KvError("NOT_ENOUGH_REPLICAS", `The in-sync set has ${count}; ${minInSync} are needed`);
  }
  for (const member of inSync) {
    const { node } = member;
    if (node === config.node) continue;
    const session = sessionOf(node);
    if (session !== undefined && counts(member, session)) set.noteHeard(node);
    else if (env.clock.nowMs() - set.lastHeardMs(node) > LIMITS.inSyncSilenceMsMax) {
      return new KvError(
        "NOT_ENOUGH_REPLICAS",
        `In-sync member ${node} does not answer; ${set.adviceFor(config.shard.name)}`,
      );
    }
  }
  return null;
}
