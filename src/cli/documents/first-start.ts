import { setTimeout as sleep } from "node:timers/promises";
import { KvError } from "../../model/errors.ts";
import type { ClusterConfig } from "../../server/config.ts";
import { CoordinatorSession } from "./coordinator-session.ts";
import { describeMade } from "./describe-made.ts";
import { DocumentsGone, makeDocuments, MembersSilent } from "./make-documents.ts";

export interface FirstStartParts {
  readonly config: ClusterConfig;
  /** The start was given up. */
  readonly isOver: () => boolean;
  readonly say: (line: string) => void;
}

const ACCOUNTS_MS = 1000;
const PAUSE_MS = 250;
const REPORT_MS = 10_000;

/**
 * Makes the documents of a cluster that starts for the first time with its coordinator, what it holds from static mode included,
 * as soon as the coordinator and all members answer (rule C5). Waits for both, and says so. Documents that were lost it does not make
 * anew, but waits until somebody else does, for which all have to run. Throws what waiting does not mend.
 */
export async function makeDocumentsAtStart({ config, isOver, say }: FirstStartParts): Promise<void> {
  const session = CoordinatorSession.open(config);
  let reportAtMs = performance.now() + REPORT_MS;
  let isUrgent = true;
  try {
    while (!isOver()) {
      const obstacle = await attempt(session, config, say);
      if (obstacle === null) return;
      const isNews: boolean = isUrgent && obstacle instanceof DocumentsGone;
      if (isNews || performance.now() > reportAtMs) {
        isUrgent &&= !isNews;
        reportAtMs = performance.now() + REPORT_MS;
        say(waitingFor(obstacle));
      }
      await sleep(PAUSE_MS);
    }
  } finally {
    session.close();
  }
}

/** What a start waits for is no failure: only documents that were there and are gone need somebody to act. */
export function waitingFor(obstacle: Error): string {
  if (obstacle instanceof DocumentsGone) return `The cluster's documents cannot be made: ${obstacle.message}`;
  if (obstacle instanceof MembersSilent) {
    return `The cluster starts for the first time as soon as all its nodes answer; still waiting for ${obstacle.silent.join(", ")}`;
  }
  return `Still waiting for the coordinator: ${obstacle.message}`;
}

/** null when they are there; else what passes, perhaps. */
async function attempt(
  session: CoordinatorSession,
  config: ClusterConfig,
  say: (line: string) => void,
): Promise<Error | null> {
  try {
    const made = await makeDocuments(session, config, { adopts: true, waitMs: ACCOUNTS_MS });
    for (const line of describeMade(made)) say(line);
    return null;
  } catch (error) {
    if (error instanceof MembersSilent || error instanceof DocumentsGone) return error;
    if (error instanceof KvError && error.code === "UNREACHABLE") return error;
    throw error;
  }
}
