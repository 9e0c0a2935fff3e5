import { KvError } from "../model/errors.ts";
import { LIMITS } from "../model/limits.ts";
import type { Result } from "../model/operation.ts";

/**
 * Bounds what one batch can answer: a thousand reads of large values would be gigabytes. Whatever no longer fits is refused
 * by itself; the other operations of the batch keep their results.
 */
export class AnswerBudget {
  #bytesLeft: number = LIMITS.batchBytesMax;

  /** `result`, or VALUE_TOO_LARGE in its place. Only reads are ever replaced: what was written is answered in any case. */
  admit(result: Result): Result {
    if (result.kind !== "value") return result;
    const { length } = result.record.value;
    if (length > this.#bytesLeft) {
      const message = `The values of one batch's answer exceed ${LIMITS.batchBytesMax} bytes: ask for fewer keys at once`;
      return { kind: "failed", error: new KvError("VALUE_TOO_LARGE", message) };
    }
    this.#bytesLeft -= length;
    return result;
  }
}
