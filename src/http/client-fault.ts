import { KvError } from "../model/errors.ts";
import { LIMITS } from "../model/limits.ts";

/** What Node's HTTP parser reports about bytes that are no request. */
export interface ParserFault extends Error {
  readonly code?: string;
  readonly reason?: string;
  /** What arrived last, the fault in it. */
  readonly rawPacket?: Buffer;
  /** Where in it the fault was found. */
  readonly bytesParsed?: number;
}

const METHOD_LINE = /^[!#$%&'*+.^_`|~0-9A-Za-z-]{1,32} \S+ HTTP\/1\.[01]\r\n/;

/** The error to answer a fault with; null when the connection itself failed, so that nobody would read it. */
export function errorOfFault(fault: ParserFault): KvError | null {
  const { code = "" } = fault;
  if (code === "ERR_HTTP_REQUEST_TIMEOUT") {
    return new KvError("REQUEST_TIMEOUT", "The request's headers did not arrive in time");
  }
  if (code === "HPE_HEADER_OVERFLOW") return overflow(fault.rawPacket);
  if (code === "HPE_CHUNK_EXTENSIONS_OVERFLOW") {
    return new KvError("VALUE_TOO_LARGE", "The chunk extensions are larger than their limit");
  }
  if (code === "HPE_INVALID_METHOD" && METHOD_LINE.test(faultyLine(fault))) {
    return new KvError("METHOD_NOT_ALLOWED", "The method is not known");
  }
  if (!code.startsWith("HPE_")) return null;
  return new KvError("BAD_REQUEST", `The bytes are not a valid HTTP request: ${fault.reason ?? code}`);
}

/** The line that the fault is in, with what follows. */
function faultyLine({ rawPacket = Buffer.alloc(0), bytesParsed = 0 }: ParserFault): string {
  const lineStart = rawPacket.lastIndexOf("\n", Math.max(bytesParsed - 1, 0)) + 1;
  return rawPacket.toString("latin1", lineStart, lineStart + LIMITS.urlBytesMax);
}

/** The parser counts target and headers together; a first line without an end says which of them it was. */
function overflow(packet: Buffer | undefined): KvError {
  const lineEnd = packet?.indexOf("\r\n") ?? 0;
  const isRequestLine = packet !== undefined && /^[A-Z]{1,16} \S/.test(packet.toString("latin1", 0, 32));
  if (isRequestLine && (lineEnd === -1 || lineEnd > LIMITS.urlBytesMax)) {
    return new KvError("URL_TOO_LONG", `The request target is longer than ${LIMITS.urlBytesMax} bytes`);
  }
  return new KvError("HEADERS_TOO_LARGE", `The header block is larger than ${LIMITS.headerBytesMax} bytes`);
}
