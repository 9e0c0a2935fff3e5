import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { LIMITS } from "../model/limits.ts";
import { ServedRequests } from "./served-requests.ts";

const LARGE = Buffer.alloc(LIMITS.peerFragmentBytes + 1);
const SMALL = Buffer.from("small");

function serve(answers: readonly Buffer[]): { readonly served: number[]; nextTurn: () => void } {
  const turns: (() => void)[] = [];
  const served: number[] = [];
  const requests = new ServedRequests(
    () => true,
    (run) => turns.push(run),
  );
  for (const [id, answer] of answers.entries()) {
    requests.admit(id, SMALL, (respond) => {
      served.push(id);
      respond(answer);
    });
  }
  return { served, nextTurn: () => turns.shift()?.() };
}

describe("the requests that a connection serves", () => {
  it("are all served at once while their answers are small", () => {
    assert.deepEqual(serve([SMALL, SMALL, SMALL]).served, [0, 1, 2]);
  });

  it("wait for the next turn of the loop behind a large answer, and keep their order", () => {
    const { served, nextTurn } = serve([SMALL, LARGE, LARGE, SMALL, SMALL, LARGE, SMALL]);
    assert.deepEqual(served, [0, 1]);
    nextTurn();
    assert.deepEqual(served, [0, 1, 2]);
    nextTurn();
    assert.deepEqual(served, [0, 1, 2, 3, 4, 5]);
    nextTurn();
    assert.deepEqual(served, [0, 1, 2, 3, 4, 5, 6]);
  });
});
