import assert from "node:assert/strict";
import { send, type TestRequest, type TestResponse } from "../support/http-client.ts";

export interface Refusals {
  /** Sends a request that must be refused with `status` and `code`, as a problem of which nothing was done. */
  readonly refused: (request: TestRequest, status: number, code: string) => Promise<TestResponse>;
  readonly refuses: (request: TestRequest, status: number, code: string) => Promise<void>;
}

export function refusalsOf(address: () => string): Refusals {
  const refused = async (request: TestRequest, status: number, code: string): Promise<TestResponse> => {
    const answer = await send(address(), request);
    assert.equal(answer.status, status, answer.text);
    assert.match(answer.headers["content-type"] ?? "", /^application\/problem\+json/);
    const problem = answer.json() as Record<string, unknown>;
    assert.equal(problem["code"], code);
    assert.equal(problem["status"], status);
    assert.equal(problem["outcome"], "not_applied");
    assert.equal(typeof problem["type"], "string");
    assert.equal(typeof problem["title"], "string");
    assert.equal(typeof problem["detail"], "string");
    return answer;
  };
  const refuses = async (request: TestRequest, status: number, code: string): Promise<void> => {
    await refused(request, status, code);
  };
  return { refused, refuses };
}
