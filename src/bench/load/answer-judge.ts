import type { Answer, ClientProtocol } from "./client-protocol.ts";
import type { Operation } from "./operation.ts";
import type { OperationFailure } from "./operation-source.ts";
import { digitsOf, type Records } from "./records.ts";

/**
 * What is wrong with an answer, null when it is good. A value read must be one that was written to that key; the rows of a scan
 * must begin with the key it started from, which is there.
 */
export function judgeAnswer(
  records: Records,
  operation: Operation,
  given: { readonly answer: Answer; readonly protocol: ClientProtocol },
): OperationFailure | null {
  const { answer, protocol } = given;
  const { kind, index, isSecondHalf } = operation;
  if (answer.kind === "error") return protocol.errorOf(answer);
  const isRead = kind === "read" || (kind === "readModifyWrite" && !isSecondHalf);
  if (isRead) return judgeRead(records, answer, index);
  if (answer.kind === "missing") return { code: "NOT_FOUND", text: `a ${kind} was answered with "not found"` };
  if (kind !== "scan") return null;
  const { bytes, start, end } = answer;
  const keyAt = bytes.subarray(start, end).indexOf(`${digitsOf(index)}"`);
  return keyAt === -1
    ? { code: "WRONG_ROWS", text: `the scan from ${records.keyOf(index)} did not show that key` }
    : null;
}

function judgeRead(records: Records, answer: Answer, index: number): OperationFailure | null {
  if (answer.kind === "missing") {
    return { code: "MISSING", text: `the key ${records.keyOf(index)} is not there; load the keys first, with --load` };
  }
  const { bytes, start, end } = answer;
  const fault = answer.kind === "value" ? records.faultOf(bytes, start, end, index) : "content";
  if (fault === null) return null;
  if (fault === "content") return { code: "WRONG_VALUE", text: `the value of ${records.keyOf(index)} is not its own` };
  const sizes = `${end - start} bytes, not ${records.valueBytes}`;
  return {
    code: "WRONG_VALUE",
    text: `the value of ${records.keyOf(index)} has ${sizes}; was it loaded with another --value-bytes?`,
  };
}
