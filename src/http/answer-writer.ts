import { STATUS_CODES, type ServerResponse } from "node:http";
import type { Writable } from "node:stream";
import type { Answer } from "./answer.ts";

/** As much of an answer as waits in a connection's buffer at a time: far below the cap, whatever the value's size. */
export const SLICE_BYTES = 65_536;

/**
 * Writes an answer; a large body goes out slice by slice, as fast as the client takes it. `progress` is called for each
 * slice, so that a client that stopped taking can be told from a slow one.
 */
export function writeAnswer(response: ServerResponse, answer: Answer, progress: () => void): void {
  const { status, headers, body } = answer;
  response.writeHead(
    status,
    hasBody(status) ? [...headers, "Content-Length", String(body?.length ?? 0)] : [...headers],
  );
  if (body === null || response.req.method === "HEAD") response.end();
  else if (body.length <= SLICE_BYTES) response.end(body);
  else writeSlices(response, body, { progress, last: (slice) => response.end(slice) });
}

/** The bytes of an answer after which the connection closes, for when nothing more may be read from it. */
export function renderLastAnswer(answer: Answer, isHead: boolean): Buffer {
  const { body } = answer;
  const head = Buffer.from(`${answerHead(answer)}Connection: close\r\n\r\n`, "latin1");
  return body === null || isHead ? head : Buffer.concat([head, body]);
}

/** Status line and headers as `writeAnswer` sends them, up to what depends on the connection: a binary string. */
export function answerHead(answer: Answer): string {
  return headStart(answer) + lengthLine(answer.status, answer.body?.length ?? 0);
}

/** The same without the body's length. */
export function headStart({ status, headers }: Answer): string {
  let head = `HTTP/1.1 ${status} ${STATUS_CODES[status] ?? "Error"}\r\n`;
  for (let i = 0; i + 1 < headers.length; i += 2) head += `${headers[i]}: ${headers[i + 1]}\r\n`;
  return head;
}

/** The line that tells the body's length, where there can be one. */
export function lengthLine(status: number, byteCount: number): string {
  return hasBody(status) ? `Content-Length: ${byteCount}\r\n` : "";
}

/** Writes all of `body` but its last slice, which is given to `last` once the others have been taken. */
export function writeSlices(
  stream: Writable,
  body: Buffer,
  { progress, last }: { progress: () => void; last: (slice: Buffer) => void },
): void {
  let at = 0;
  const writeMore = (): void => {
    progress();
    while (body.length - at > SLICE_BYTES) {
      const slice = body.subarray(at, at + SLICE_BYTES);
      at += SLICE_BYTES;
      if (stream.write(slice)) continue;
      stream.once("drain", writeMore);
      return;
    }
    last(body.subarray(at));
  };
  writeMore();
}

function hasBody(status: number): boolean {
  return status !== 204 && status !== 304;
}
