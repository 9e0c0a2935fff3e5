import { Answer, type ClientProtocol } from "./client-protocol.ts";

/**
 * Cuts received bytes into answers.
 *
 * Holds the beginning of an answer that has not arrived as a whole; joins it with what follows only once enough is there, so
 * that a value of 16 MiB is copied once and not with every packet.
 */
export class AnswerReader {
  readonly #answer = new Answer();
  readonly #onAnswer: (answer: Answer) => void;
  #parts: Buffer[] = [];
  #heldBytes = 0;
  #neededBytes = 0;

  /** `onAnswer` gets each answer during `take`; the object is used again for the next. */
  constructor(onAnswer: (answer: Answer) => void) {
    this.#onAnswer = onAnswer;
  }

  take(chunk: Buffer, protocol: ClientProtocol): void {
    const bytes = this.#join(chunk);
    if (bytes === null) return;
    const answer = this.#answer;
    let at = 0;
    while (at < bytes.length) {
      const end = protocol.readAnswer(bytes, at, answer);
      if (end < 0) {
        this.#hold(bytes.subarray(at), -end);
        return;
      }
      at = end;
      answer.bytes = bytes;
      this.#onAnswer(answer);
    }
  }

  #join(chunk: Buffer): Buffer | null {
    if (this.#heldBytes === 0) return chunk;
    this.#parts.push(chunk);
    this.#heldBytes += chunk.length;
    if (this.#heldBytes < this.#neededBytes) return null;
    const bytes = Buffer.concat(this.#parts, this.#heldBytes);
    this.#parts = [];
    this.#heldBytes = 0;
    return bytes;
  }

  #hold(rest: Buffer, neededBytes: number): void {
    this.#parts = [rest];
    this.#heldBytes = rest.length;
    this.#neededBytes = neededBytes;
  }
}
