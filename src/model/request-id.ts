import { LIMITS } from "./limits.ts";

const PRINTABLE = /^[\x20-\x7e]+$/;

/** Whether `text` may name a request (rule U2): 1 to 64 printable ASCII characters. */
export function isRequestId(text: string): boolean {
  return text.length <= LIMITS.requestIdBytesMax && PRINTABLE.test(text);
}
