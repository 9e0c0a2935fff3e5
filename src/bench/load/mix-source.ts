import type { Random } from "../../base/random.ts";
import { judgeAnswer } from "./answer-judge.ts";
import type { Answer, ClientProtocol } from "./client-protocol.ts";
import type { InsertOrder } from "./insert-order.ts";
import type { KeyChooser } from "./key-chooser.ts";
import type { Operation } from "./operation.ts";
import type { OperationFailure, OperationSource } from "./operation-source.ts";
import type { Records } from "./records.ts";
import { kindAt, type Workload } from "./workload.ts";

export interface MixSourceParts {
  readonly shares: Workload["shares"];
  readonly chooseKey: KeyChooser;
  readonly inserts: InsertOrder;
  readonly records: Records;
  readonly random: Random;
}

/** YCSB's: scans ask for 1 to 100 rows, each length as often as the others. */
const SCAN_ROWS_MAX = 100;

/** Draws operations of a workload without end. */
export class MixSource implements OperationSource {
  readonly isExhausted = false;
  readonly #parts: MixSourceParts;
  #writeCount = 0;

  constructor(parts: MixSourceParts) {
    this.#parts = parts;
  }

  draw(operation: Operation): boolean {
    const { shares, chooseKey, inserts, random } = this.#parts;
    const kind = kindAt(shares, random.next());
    operation.kind = kind;
    operation.index = kind === "insert" ? inserts.take() : chooseKey();
    operation.counter = kind === "read" || kind === "scan" ? 0 : ++this.#writeCount;
    operation.rowCount = kind === "scan" ? 1 + Math.floor(random.next() * SCAN_ROWS_MAX) : 0;
    operation.isSecondHalf = false;
    return true;
  }

  judge(operation: Operation, answer: Answer, protocol: ClientProtocol): OperationFailure | null {
    const failure = judgeAnswer(this.#parts.records, operation, { answer, protocol });
    if (operation.kind === "insert") {
      if (failure === null) this.#parts.inserts.done(operation.index);
      else this.#parts.inserts.failed(operation.index);
    }
    return failure;
  }

  lost(operation: Operation): void {
    this.abandoned(operation);
  }

  abandoned({ kind, index }: Operation): void {
    if (kind === "insert") this.#parts.inserts.failed(index);
  }
}
