import type { Random } from "../../base/random.ts";
import { ERRORS } from "../../model/errors.ts";
import { judgeAnswer } from "./answer-judge.ts";
import type { Answer, ClientProtocol } from "./client-protocol.ts";
import type { Operation } from "./operation.ts";
import type { OperationFailure, OperationSource } from "./operation-source.ts";
import { counterOf, type Records } from "./records.ts";
import type { WriteTrace } from "./write-trace.ts";

export interface TracedSourceParts {
  readonly records: Records;
  readonly trace: WriteTrace;
  readonly random: Random;
  readonly readFraction: number;
  /** A write of this key was acknowledged just now. */
  readonly onAcknowledged: (index: number) => void;
}

/** RESP errors that leave it open whether a write took effect. */
const OPEN_PREFIXES: ReadonlySet<string> = new Set(["UNKNOWN"]);

/**
 * Reads and writes for a load through a failover: writes are numbered for each key, and every read is held against what was
 * acknowledged before it began. STALE_READ and IMPOSSIBLE are the failures that break a promise.
 */
export class TracedSource implements OperationSource {
  readonly isExhausted = false;
  readonly #parts: TracedSourceParts;
  #nextWrite = 0;

  constructor(parts: TracedSourceParts) {
    this.#parts = parts;
  }

  draw(operation: Operation): boolean {
    const { trace, random, readFraction } = this.#parts;
    operation.isSecondHalf = false;
    if (random.next() < readFraction) {
      operation.kind = "read";
      operation.index = Math.floor(random.next() * trace.keyCount);
      operation.counter = trace.lastAcknowledged(operation.index);
      return true;
    }
    const index = this.#freeKey();
    if (index === -1) return false;
    operation.kind = "write";
    operation.index = index;
    operation.counter = trace.begin(index);
    return true;
  }

  judge(operation: Operation, answer: Answer, protocol: ClientProtocol): OperationFailure | null {
    const { records, trace, onAcknowledged } = this.#parts;
    const { kind, index, counter } = operation;
    const failure = judgeAnswer(records, operation, { answer, protocol });
    if (kind === "read") return failure ?? judgeTracedRead(this.#parts, operation, answer);
    if (failure === null) {
      trace.acknowledge(index, counter);
      onAcknowledged(index);
    } else if (isDefinite(failure.code)) trace.refuse(index);
    else trace.leaveOpen(index, counter);
    return failure;
  }

  lost({ kind, index, counter }: Operation): void {
    if (kind === "write") this.#parts.trace.leaveOpen(index, counter);
  }

  abandoned({ kind, index }: Operation): void {
    if (kind === "write") this.#parts.trace.refuse(index);
  }

  /** The next key in turn without a write under way; -1 when there is none. */
  #freeKey(): number {
    const { trace } = this.#parts;
    for (let tries = 0; tries < trace.keyCount; tries++) {
      const index = this.#nextWrite;
      this.#nextWrite = (index + 1) % trace.keyCount;
      if (!trace.isUnderWay(index)) return index;
    }
    return -1;
  }
}

/** For a read whose value is sound: whether it is new enough. `operation.counter` was acknowledged before it began. */
export function judgeTracedRead(
  { records, trace }: { readonly records: Records; readonly trace: WriteTrace },
  { index, counter }: Operation,
  answer: Answer,
): OperationFailure | null {
  const seen = counterOf(answer.bytes, answer.start);
  const verdict = trace.judge(index, seen, counter);
  if (verdict === "fresh" || verdict === "late") return null;
  const key = records.keyOf(index);
  if (verdict === "impossible") return { code: "IMPOSSIBLE", text: `${key} shows write ${seen}, which was never sent` };
  return { code: "STALE_READ", text: `${key} showed write ${seen} after write ${counter} had been acknowledged` };
}

function isDefinite(code: string): boolean {
  if (OPEN_PREFIXES.has(code)) return false;
  const kind = Object.entries(ERRORS).find(([known]) => known === code)?.[1];
  // Words of the Redis protocol that are not in the table are refusals; an HTTP answer without a code says nothing.
  return kind === undefined ? code !== "HTTP" : kind.outcome === "not_applied";
}
