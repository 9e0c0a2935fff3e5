/** Thrown when the program itself is wrong. Nobody catches it: the process ends and starts again from its log. */
export class AssertionError extends Error {
  override readonly name: string = "AssertionError";
}

/** Dies when `condition` does not hold. `claim` says what must hold. Stays on in production: the checks are cheap. */
export function assert(condition: boolean, claim: string): asserts condition {
  if (!condition) throw new AssertionError(`Broken invariant: ${claim}`);
}

/** Marks a place that no value can reach: the compiler checks that every case of a union was handled. */
export function unreachable(value: never): never {
  throw new AssertionError(`Broken invariant: unexpected case ${JSON.stringify(value)}`);
}
