import { keyOfText } from "../../../src/model/key.ts";
import { checkHistory } from "../../support/linearizability/check-history.ts";
import type { HistoryOperation } from "../../support/linearizability/history.ts";
import { checkLogOrder } from "../../support/linearizability/log-order.ts";
import type { ClusterHistory } from "./cluster-history.ts";
import type { ClusterWorld } from "./cluster-world.ts";
import { findWrongEventualReads } from "./eventual-reads.ts";
import { findOvertaken } from "./connection-order.ts";
import type { BegunTerm, ShardLedger } from "./shard-ledger.ts";

/** An acknowledged operation whose entry a later leadership left out. */
interface Cut {
  readonly operation: HistoryOperation;
  readonly by: BegunTerm;
  /** A later leader had it after all: an operator gave up the leadership that lacked it. */
  readonly isBack: boolean;
}

/**
 * Judges what the clients of a run saw, shard by shard: which acknowledged writes were lost and whether that was allowed, then, with
 * the lost ones taken out (and checked never to be seen again), linearizability and the order of the log.
 */
export class Verdict {
  readonly #world: ClusterWorld;
  readonly #history: ClusterHistory;

  constructor(world: ClusterWorld, history: ClusterHistory) {
    this.#world = world;
    this.#history = history;
  }

  give(): void {
    const operations = this.#history.operations();
    const byShard = new Map<string, HistoryOperation[]>([...this.#world.ledgers.keys()].map((name) => [name, []]));
    for (const operation of operations) byShard.get(this.#shardOf(operation))?.push(operation);
    for (const [name, ofShard] of byShard) {
      const ledger = this.#world.ledgers.get(name);
      if (ledger !== undefined) this.#judge(ledger, ofShard);
    }
    this.#judgeConnections(operations);
  }

  #judge(ledger: ShardLedger, operations: readonly HistoryOperation[]): void {
    const { simulation } = this.#world;
    const cuts = operations.flatMap((operation) => this.#cutOf(ledger, operation));
    for (const cut of cuts) this.#judgeLoss(ledger, cut);
    const kept = this.#withoutCuts(ledger, operations, cuts);
    if (simulation.violation !== null) return;
    const violations = checkHistory(kept);
    const violation = violations.find(({ kind }) => kind !== "timedOut");
    // With many unanswered writes a search may not end; the order of the log, which follows, decides every history.
    for (const { kind, reason } of violations) if (kind === "timedOut") simulation.note("observer", reason);
    if (violation !== undefined) simulation.fail("linearizable", violation.report);
    const [breach] = checkLogOrder(kept).violations;
    if (breach !== undefined) simulation.fail("answers follow the log", breach.reason);
    const reads = this.#history.eventualReads.filter((read) => read.shard === ledger.shard.name);
    const isWholeHistory =
      ledger.splitAtMs === null && cuts.length === 0 && !ledger.terms.some((term) => term.isPromotion);
    const [wrong] = findWrongEventualReads(reads, kept, isWholeHistory);
    if (wrong !== undefined && ledger.splitAtMs === null) simulation.fail("eventual reads are committed", wrong);
    simulation.markers.sometimes(
      "acknowledged write lost by a promotion",
      cuts.some(({ operation }) => isWrite(operation)),
    );
  }

  #cutOf(ledger: ShardLedger, operation: HistoryOperation): Cut[] {
    const { outcome } = operation;
    if (outcome.kind !== "ok" || outcome.position === undefined) return [];
    const { cutBy, isBack } = ledger.fateOf(outcome.position.epoch, outcome.position.sequence);
    return cutBy === null ? [] : [{ operation, by: cutBy, isBack }];
  }

  /** Which promise allowed this answer to come to nothing, if any. */
  #judgeLoss(ledger: ShardLedger, { operation, by }: Cut): void {
    if (operation.endedAtMs >= (ledger.splitAtMs ?? Infinity)) return;
    const { simulation, shape } = this.#world;
    const notes = this.#history.notes.get(operation.id);
    const isChange = isWrite(operation);
    // What a larger request read stands at the entry that it wrote, and shares that entry's durability.
    if (!isChange && operation.request !== undefined) return;
    const promised = isChange
      ? (notes?.guarantee ?? "flushed")
      : shape.replication === "in-sync"
        ? "in-sync"
        : "flushed";
    const at = operation.outcome.kind === "ok" ? operation.outcome.position : undefined;
    const detail = `#${operation.id} was answered at ${at?.epoch}/${at?.sequence}; ${by.node} leads from ${by.start} with epoch ${by.epoch}`;
    const isLost = promised === "in-sync" ? !by.acceptsLoss : !by.isPromotion;
    if (!isLost) return;
    if (!isChange) simulation.fail("what was read is committed", detail);
    else if (promised === "in-sync") simulation.fail("no write acknowledged in-sync is lost", detail);
    else simulation.fail("no acknowledged write is lost by a restart", detail);
  }

  /** What is left to be linearizable: without what promotions cut off, and up to the moment when leadership split (rule T6). */
  #withoutCuts(ledger: ShardLedger, operations: readonly HistoryOperation[], cuts: readonly Cut[]): HistoryOperation[] {
    const cutIds = new Map(cuts.map(({ operation, isBack }) => [operation.id, isBack]));
    const splitAtMs = ledger.splitAtMs ?? Infinity;
    const kept: HistoryOperation[] = [];
    for (const operation of operations) {
      if (operation.calledAtMs >= splitAtMs) continue;
      // Reads under the lease trust clocks; what is written does not.
      const isRead = operation.outcome.kind === "ok" && !isWrite(operation);
      if (isRead && this.#world.emphasis.hasWildClocks === true) continue;
      const isScanned = operation.outcome.kind === "ok" && !this.#history.notes.has(operation.id);
      if (cutIds.size > 0 && isScanned) continue;
      if (cutIds.has(operation.id)) {
        // From now on nobody may see it: as if it had been refused. Who read it was cut off with it.
        const kind = cutIds.get(operation.id) === true ? "unknown" : "notApplied";
        if (isWrite(operation)) kept.push({ ...operation, outcome: { kind }, ret: Infinity });
      } else if (operation.endedAtMs >= splitAtMs) {
        kept.push({ ...operation, outcome: { kind: "unknown" }, ret: Infinity });
      } else {
        kept.push(operation);
      }
    }
    return kept;
  }

  #judgeConnections(operations: readonly HistoryOperation[]): void {
    const isSplit = [...this.#world.ledgers.values()].some((ledger) => ledger.splitAtMs !== null);
    if (isSplit) return;
    const shardOf = (operation: HistoryOperation): string => this.#shardOf(operation);
    const [overtaken] = findOvertaken(operations, this.#history.submissions, shardOf);
    if (overtaken !== undefined) this.#world.simulation.fail("a connection's requests keep their order", overtaken);
  }

  #shardOf({ id, key }: HistoryOperation): string {
    return this.#history.notes.get(id)?.shard ?? this.#world.shape.topology.shardOfKey(keyOfText(key)).name;
  }
}

/** Whether the answer says that the operation wrote an entry. */
function isWrite({ outcome }: HistoryOperation): boolean {
  if (outcome.kind !== "ok") return false;
  const { result } = outcome;
  return result.kind === "written" || result.kind === "incremented" || (result.kind === "deleted" && result.existed);
}
