import type { Answer, ClientProtocol } from "./client-protocol.ts";
import type { Operation } from "./operation.ts";

/** What was wrong with an answer. */
export interface OperationFailure {
  /** A word, by which failures are counted. */
  readonly code: string;
  readonly text: string;
}

/** Where operations come from, and who judges what became of them. Every operation drawn is judged, lost or abandoned once. */
export interface OperationSource {
  /** Whether nothing will be drawn any more. */
  readonly isExhausted: boolean;
  /** Fills in what is to be done; false when there is nothing to do now. */
  draw(operation: Operation): boolean;
  /** null when the answer is good. A read-modify-write is judged after each of its two requests. */
  judge(operation: Operation, answer: Answer, protocol: ClientProtocol): OperationFailure | null;
  /** No answer came. */
  lost(operation: Operation): void;
  /** It was never sent. */
  abandoned(operation: Operation): void;
}
