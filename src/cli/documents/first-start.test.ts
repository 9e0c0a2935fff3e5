import assert from "node:assert/strict";
import { test } from "node:test";
import { KvError } from "../../model/errors.ts";
import { waitingFor } from "./first-start.ts";
import { DocumentsGone, MembersSilent } from "./make-documents.ts";

test("a first start says whom it waits for, and sounds no alarm unless documents are gone", () => {
  const silent = new MembersSilent("b:1 of shard Delhi does not answer, and may hold what the others lack", ["b:1"]);
  assert.match(waitingFor(silent), /starts for the first time as soon as all its nodes answer; still waiting for b:1$/);
  const down = new KvError("UNREACHABLE", "nothing listens there");
  assert.equal(waitingFor(down), "Still waiting for the coordinator: nothing listens there");
  assert.match(waitingFor(new DocumentsGone("they are gone")), /cannot be made: they are gone$/);
});
