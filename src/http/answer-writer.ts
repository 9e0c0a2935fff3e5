import { STATUS_CODES, type ServerResponse } from "node:http";
import type { Answer } from "./answer.ts";

/** As much of an answer as waits in a connection's buffer at a time: far below the cap, whatever the value's size. */
const SLICE_BYTES = 65_536;

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
  else writeSlices(response, body, progress);
}

/** The bytes of an answer after which the connection closes, for when nothing more may be read from it. */
export function renderLastAnswer(answer: Answer, isHead: boolean): Buffer {
  const { status, headers, body } = answer;
  const lines = [`HTTP/1.1 ${status} ${STATUS_CODES[status] ?? "Error"}`];
  for (let i = 0; i + 1 < headers.length; i += 2) lines.push(`${headers[i]}: ${headers[i + 1]}`);
  if (hasBody(status)) lines.push(`Content-Length: ${body?.length ?? 0}`);
  const head = Buffer.from(`${lines.join("\r\n")}\r\nConnection: close\r\n\r\n`, "latin1");
  return body === null || isHead ? head : Buffer.concat([head, body]);
}

function hasBody(status: number): boolean {
  return status !== 204 && status !== 304;
}

function writeSlices(response: ServerResponse, body: Buffer, progress: () => void): void {
  let at = 0;
  const writeMore = (): void => {
    progress();
    while (body.length - at > SLICE_BYTES) {
      const slice = body.subarray(at, at + SLICE_BYTES);
      at += SLICE_BYTES;
      if (response.write(slice)) continue;
      response.once("drain", writeMore);
      return;
    }
    response.end(body.subarray(at));
  };
  writeMore();
}
