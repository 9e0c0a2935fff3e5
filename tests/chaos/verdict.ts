import assert from "node:assert/strict";
import { keyOfText } from "../../src/model/key.ts";
import { requireEqualCopies } from "../cluster/support/copies.ts";
import type { LedgerVerdict } from "../cluster/support/ledger.ts";
import type { HistoryOperation } from "../support/linearizability/history.ts";
import { checkLogOrder } from "../support/linearizability/log-order.ts";
import type { ChaosRun } from "./chaos-run.ts";

/** What a run that broke no promise came to. */
export interface Verdict extends LedgerVerdict {
  /** Operations of the history that was searched for an order, key by key. */
  readonly operations: number;
  /** Answers that were checked against the order of their shard's log. */
  readonly orderedAnswers: number;
  /** Operations without an answer that turned out to have happened, once, when they were sent again with their key. */
  readonly settledByRepetition: number;
  /** Reads of any copy with the token of a write, all of which showed it. */
  readonly tokenReads: number;
  /** From the end of the last fault until all members were in sync. */
  readonly convergedAfterMs: number;
}

const CONVERGENCE_MS_MAX = 60_000;
const FATAL = /"level":(?:60)|assertion failed|must hold/i;

/** Ends all faults and clients, and checks everything that was promised (§6.4). Throws at the first broken promise. */
export async function judge(run: ChaosRun): Promise<Verdict> {
  const { cluster, load } = run;
  await run.endAllFaults();
  const convergedAfterMs = await run.whole(CONVERGENCE_MS_MAX);
  await run.steady();
  await load.stop();
  const reader = cluster.nodes.at(-1);
  assert(reader !== undefined);
  const ledger = await load.traffic.finishWell(reader.name);
  const history = load.traffic.recorder.history();
  const orderedAnswers = checkOrder(run, history);
  await requireEqualCopies(cluster);
  for (const node of cluster.nodes) {
    assert.doesNotMatch(node.output, FATAL, `${node.name} said that something must hold which did not`);
  }
  const { settledByRepetition, tokenReads } = load.traffic;
  return {
    ...ledger,
    operations: history.length,
    orderedAnswers,
    settledByRepetition,
    tokenReads,
    convergedAfterMs,
  };
}

/** The second checker, shard by shard; versions stand for positions, since every entry of a shard's log has its own. */
function checkOrder(run: ChaosRun, history: readonly HistoryOperation[]): number {
  const { topology } = run.cluster.config;
  let checkedCount = 0;
  for (const { name } of topology.shards) {
    const own = history.filter(({ key }) => topology.shardOfKey(keyOfText(key)).name === name);
    const verdict = checkLogOrder(own.map(placed));
    const [first] = verdict.violations;
    assert(first === undefined, first?.reason);
    checkedCount += verdict.checkedCount;
  }
  assert(checkedCount > history.length / 3, `${checkedCount} of ${history.length} answers had a position`);
  return checkedCount;
}

function placed(operation: HistoryOperation): HistoryOperation {
  const { outcome } = operation;
  if (outcome.kind !== "ok" || !("version" in outcome.result) || outcome.result.version === undefined) return operation;
  const position = { epoch: 0, sequence: outcome.result.version };
  return { ...operation, outcome: { ...outcome, position } };
}
