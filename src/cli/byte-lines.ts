import { UsageError } from "./usage-error.ts";

const NEWLINE = 0x0a;
/** The largest value with its key, both as base64, has less. */
const LINE_BYTES_MAX = 33_554_432;

/**
 * The lines of a byte stream, split at newlines alone: text may hold U+2028 and U+2029, at which `node:readline` splits too.
 * The last line needs no newline. Throws UsageError when a line is longer than any row can be.
 */
export async function* byteLines(chunks: AsyncIterable<Buffer>): AsyncGenerator<Buffer, void> {
  let pieces: Buffer[] = [];
  let pieceBytes = 0;
  for await (const chunk of chunks) {
    let start = 0;
    for (let end = chunk.indexOf(NEWLINE); end !== -1; end = chunk.indexOf(NEWLINE, start)) {
      pieces.push(chunk.subarray(start, end));
      yield pieces.length === 1 ? chunk.subarray(start, end) : Buffer.concat(pieces);
      pieces = [];
      pieceBytes = 0;
      start = end + 1;
    }
    if (start === chunk.length) continue;
    pieces.push(chunk.subarray(start));
    pieceBytes += chunk.length - start;
    if (pieceBytes > LINE_BYTES_MAX) throw new UsageError(`a line is longer than ${LINE_BYTES_MAX} bytes`);
  }
  if (pieceBytes > 0) yield Buffer.concat(pieces);
}
