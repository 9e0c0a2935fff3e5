/** How an operation ended: see `Outcome`. */
export type Ending = "ok" | "notApplied" | "unknown";

/** One operation of one client, with its times in ms of one clock. */
export interface LoggedOperation {
  readonly shard: string;
  readonly isRead: boolean;
  readonly calledAtMs: number;
  readonly endedAtMs: number;
  readonly ending: Ending;
}

/** How many operations ended how. */
export interface EndingCounts {
  readonly reads: Readonly<Record<Ending, number>>;
  readonly writes: Readonly<Record<Ending, number>>;
}

export interface Span {
  readonly fromMs: number;
  readonly toMs: number;
}

/** Everything that clients were told, in the order in which they were told, for questions about times and counts. */
export class LoadLog {
  readonly #operations: LoggedOperation[] = [];

  note(operation: LoggedOperation): void {
    this.#operations.push(operation);
  }

  get count(): number {
    return this.#operations.length;
  }

  /** When the first write that was called at or after `fromMs` was acknowledged; undefined when none was yet. */
  firstAcknowledged(shard: string, fromMs: number): number | undefined {
    return this.#since(fromMs).find((one) => isAcknowledgedWrite(one, shard) && one.calledAtMs >= fromMs)?.endedAtMs;
  }

  /** The longest time within the span in which no write of the shard was acknowledged, its ends included. */
  longestStallMs(shard: string, { fromMs, toMs }: Span): number {
    let longestMs = 0;
    let lastMs = fromMs;
    for (const one of this.#since(fromMs)) {
      if (one.endedAtMs > toMs) break;
      if (!isAcknowledgedWrite(one, shard)) continue;
      longestMs = Math.max(longestMs, one.endedAtMs - lastMs);
      lastMs = one.endedAtMs;
    }
    return Math.max(longestMs, toMs - lastMs);
  }

  /** What ended within the span; of all shards unless one is named. */
  counts({ fromMs, toMs }: Span, shard?: string): EndingCounts {
    const counts = {
      reads: { ok: 0, notApplied: 0, unknown: 0 },
      writes: { ok: 0, notApplied: 0, unknown: 0 },
    };
    for (const one of this.#since(fromMs)) {
      if (one.endedAtMs > toMs) break;
      if (shard !== undefined && one.shard !== shard) continue;
      counts[one.isRead ? "reads" : "writes"][one.ending]++;
    }
    return counts;
  }

  /** Operations that ended ok, per second, over the last `windowMs`. */
  okPerSecond(nowMs: number, windowMs: number): number {
    const { reads, writes } = this.counts({ fromMs: nowMs - windowMs, toMs: nowMs });
    return ((reads.ok + writes.ok) / windowMs) * 1000;
  }

  /** Operations that ended at or after `fromMs`: they are in the order of their ends. */
  #since(fromMs: number): LoggedOperation[] {
    let low = 0;
    let high = this.#operations.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if ((this.#operations[middle]?.endedAtMs ?? 0) < fromMs) low = middle + 1;
      else high = middle;
    }
    return this.#operations.slice(low);
  }
}

function isAcknowledgedWrite({ shard, isRead, ending }: LoggedOperation, wanted: string): boolean {
  return shard === wanted && !isRead && ending === "ok";
}
