import { judgeAnswer } from "./answer-judge.ts";
import type { Answer, ClientProtocol } from "./client-protocol.ts";
import type { Operation } from "./operation.ts";
import type { OperationFailure, OperationSource } from "./operation-source.ts";
import type { Records } from "./records.ts";
import { judgeTracedRead } from "./traced-source.ts";
import type { WriteTrace } from "./write-trace.ts";

/**
 * Reads every key once at the end, again and again while that fails, and finds the keys whose last acknowledged write is gone.
 */
export class ReadBackSource implements OperationSource {
  readonly #records: Records;
  readonly #trace: WriteTrace;
  readonly #again: number[] = [];
  #next = 0;
  #readCount = 0;
  #lostCount = 0;
  #firstLost: string | null = null;

  constructor(records: Records, trace: WriteTrace) {
    this.#records = records;
    this.#trace = trace;
  }

  get isExhausted(): boolean {
    return this.#readCount === this.#trace.keyCount;
  }

  /** Keys that could not be read. */
  get unreadCount(): number {
    return this.#trace.keyCount - this.#readCount;
  }

  /** Keys whose last acknowledged write is not there. */
  get lostCount(): number {
    return this.#lostCount;
  }

  get firstLost(): string | null {
    return this.#firstLost;
  }

  draw(operation: Operation): boolean {
    const index = this.#again.pop() ?? (this.#next < this.#trace.keyCount ? this.#next++ : -1);
    if (index === -1) return false;
    operation.kind = "read";
    operation.index = index;
    operation.counter = this.#trace.lastAcknowledged(index);
    operation.isSecondHalf = false;
    return true;
  }

  judge(operation: Operation, answer: Answer, protocol: ClientProtocol): OperationFailure | null {
    const failure = judgeAnswer(this.#records, operation, { answer, protocol });
    if (answer.kind === "error") {
      this.lost(operation);
      return failure;
    }
    this.#readCount += 1;
    const loss = failure ?? judgeTracedRead({ records: this.#records, trace: this.#trace }, operation, answer);
    if (loss === null) return null;
    this.#lostCount += 1;
    this.#firstLost ??= loss.text;
    return loss;
  }

  lost({ index }: Operation): void {
    this.#again.push(index);
  }

  abandoned({ index }: Operation): void {
    this.#again.push(index);
  }
}
