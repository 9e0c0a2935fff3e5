import { judgeAnswer } from "./answer-judge.ts";
import type { Answer, ClientProtocol } from "./client-protocol.ts";
import type { Operation } from "./operation.ts";
import type { OperationFailure, OperationSource } from "./operation-source.ts";
import type { Records } from "./records.ts";

/** So many failures without a success between them mean that trying again is of no use. */
const FAILURES_MAX = 10_000;

/** Writes every key once, in order; what failed is written again, because a server may refuse when it is pushed this hard. */
export class PreloadSource implements OperationSource {
  readonly #records: Records;
  readonly #keyCount: number;
  readonly #again: number[] = [];
  #next = 0;
  #writtenCount = 0;
  #failuresInARow = 0;

  constructor(records: Records, keyCount: number) {
    this.#records = records;
    this.#keyCount = keyCount;
  }

  get writtenCount(): number {
    return this.#writtenCount;
  }

  get isExhausted(): boolean {
    return this.#writtenCount === this.#keyCount || this.#failuresInARow > FAILURES_MAX;
  }

  draw(operation: Operation): boolean {
    if (this.isExhausted) return false;
    const index = this.#again.pop() ?? (this.#next < this.#keyCount ? this.#next++ : -1);
    if (index === -1) return false;
    operation.kind = "write";
    operation.index = index;
    operation.counter = 0;
    operation.isSecondHalf = false;
    return true;
  }

  judge(operation: Operation, answer: Answer, protocol: ClientProtocol): OperationFailure | null {
    const failure = judgeAnswer(this.#records, operation, { answer, protocol });
    if (failure === null) {
      this.#writtenCount += 1;
      this.#failuresInARow = 0;
    } else {
      this.lost(operation);
    }
    return failure;
  }

  lost({ index }: Operation): void {
    this.#failuresInARow += 1;
    this.#again.push(index);
  }

  abandoned({ index }: Operation): void {
    this.#again.push(index);
  }
}
