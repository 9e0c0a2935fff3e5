import { KvError } from "../../model/errors.ts";
import { formatHostPort } from "../../server/node-address.ts";
import { type ConnectionTargets, openConnections } from "./connection-set.ts";
import { CLOSED_LOOP } from "./load-pace.ts";
import type { LoadPlan } from "./load-plan.ts";
import { LoadProgress } from "./load-progress.ts";
import { type LoadOutcome, LoadRun, type LoadRunParts } from "./load-run.ts";
import type { OperationSource } from "./operation-source.ts";
import { PreloadSource } from "./preload-source.ts";
import { Records } from "./records.ts";

/** What all phases of one load share. */
export interface LoadScene {
  readonly plan: LoadPlan;
  readonly records: Records;
  readonly targets: ConnectionTargets;
  /** Prints a line for people. */
  readonly say: (line: string) => void;
}

/** One phase: where its operations come from; what is not said is a closed loop without an end but the source's. */
export interface LoadPhase extends Partial<Pick<LoadRunParts, PhasePart>> {
  readonly source: OperationSource;
  readonly progress: LoadProgress;
  /** Operations under way on one connection. */
  readonly depth: number;
}

type PhasePart = "pace" | "warmupMs" | "durationMs" | "countMax" | "restsAfterFailure";

/** Loading wants throughput: at least so many writes under way on each connection. */
const PRELOAD_DEPTH_MIN = 32;

/** The records of a plan: the prefix is text there and bytes in keys. */
export function recordsOf({ keyPrefix, valueBytes }: LoadPlan): Records {
  return new Records(Buffer.from(keyPrefix, "utf8").toString("latin1"), valueBytes);
}

/** Writes all keys. Throws UNREACHABLE when that does not succeed. */
export async function preload(scene: LoadScene): Promise<void> {
  const { plan, say } = scene;
  const source = new PreloadSource(scene.records, plan.keyCount);
  const depth = Math.max(plan.pipeline, PRELOAD_DEPTH_MIN);
  const progress = new LoadProgress("load", plan.keyCount, () => source.writtenCount);
  const { statistics, seconds } = await runPhase(scene, { source, progress, depth });
  if (source.writtenCount < plan.keyCount) {
    const done = `${source.writtenCount} of ${plan.keyCount} keys were loaded`;
    throw new KvError("UNREACHABLE", `${done}; the first failure: ${statistics.failures.first}`);
  }
  const rate = Math.round(plan.keyCount / Math.max(seconds, 0.001)).toLocaleString("en-US");
  say(`Loaded ${plan.keyCount.toLocaleString("en-US")} keys of ${plan.valueBytes} bytes, ${rate} a second`);
}

/**
 * Runs one phase over connections of its own; Ctrl-C ends it early, with what it found so far, and a second one ends the
 * program. Throws UNREACHABLE when the connections cannot be opened.
 */
export async function runPhase({ plan, records, targets }: LoadScene, phase: LoadPhase): Promise<LoadOutcome> {
  const { progress, depth, ...parts } = phase;
  const run = new LoadRun({
    pace: CLOSED_LOOP,
    warmupMs: 0,
    durationMs: Infinity,
    countMax: Infinity,
    restsAfterFailure: false,
    ...parts,
    groupOf: targets.groupOf,
    groupCount: targets.groups.length,
    timeoutMs: plan.timeoutSeconds * 1000,
    onProgress: () => progress.show(run),
  });
  const connections = openConnections(plan, { targets, records, owner: run, depth });
  const stop = (): void => run.stop();
  process.once("SIGINT", stop);
  try {
    return await run.run(connections);
  } catch (error) {
    if (!(error instanceof KvError) || error.code !== "UNREACHABLE") throw error;
    const nodes = plan.nodes.map(formatHostPort).join(", ");
    throw new KvError("UNREACHABLE", `${error.message}; is a node running at ${nodes}?`);
  } finally {
    process.off("SIGINT", stop);
    progress.stop();
    for (const connection of connections) connection.close();
  }
}
