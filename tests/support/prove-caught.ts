import { AssertionError } from "node:assert/strict";
import { AssertionError as BrokenInvariant } from "../../src/base/assert.ts";
import { clearMutants, plantMutant } from "../../src/base/mutants.ts";

/**
 * Proves that `check` notices the planted bug `id` (rule D12): it must fail an assertion, the test's or the product's own,
 * while the bug is there, and pass when it is not. A crash of another kind proves nothing.
 */
export function proveCaught(id: string, check: () => void): void {
  check();
  plantMutant(id);
  try {
    check();
  } catch (error) {
    if (error instanceof AssertionError || error instanceof BrokenInvariant) return;
    throw error;
  } finally {
    clearMutants();
  }
  throw new Error(`The check passes although ${id} is planted`);
}
