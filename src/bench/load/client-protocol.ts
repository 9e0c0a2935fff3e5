/**
 * `done`: accepted, nothing to show; `value`: bytes came back; `missing`: the key is not there; `error`: refused; `malformed`: not
 * the protocol's bytes, after which the connection cannot be used any more.
 */
export type AnswerKind = "done" | "value" | "missing" | "error" | "malformed";

/** The answer that was just read: a view into received bytes, valid only during the call that hands it over. */
export class Answer {
  kind: AnswerKind = "done";
  bytes: Buffer = Buffer.alloc(0);
  /** Of the value or the error's text. */
  start = 0;
  end = 0;
}

/** What an error answer says. */
export interface AnswerError {
  /** A word: `TRYAGAIN`, `NOT_LEADER`. */
  readonly code: string;
  readonly text: string;
}

/** A protocol as a load generator needs it. Requests are binary strings, one character a byte. */
export interface ClientProtocol {
  readRequest(index: number): string;
  writeRequest(index: number, counter: number): string;
  scanRequest(index: number, rowCount: number): string;
  /**
   * Reads one answer that begins at `at` into `answer` and returns where it ends; while it is incomplete, minus the number of
   * bytes from `at` on that it has at least.
   */
  readAnswer(bytes: Buffer, at: number, answer: Answer): number;
  errorOf(answer: Answer): AnswerError;
}
