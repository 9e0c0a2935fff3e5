/**
 * Planted bugs (rule D12): each mistake of the replication checklist (M01, M02 …) has a switch that brings it back, so that
 * a test can show that it would be noticed. Nothing outside tests plants one; the check is then a look at an empty set.
 */
const planted = new Set<string>();

/** Whether the mistake `id` is planted in this thread. */
export function mutant(id: string): boolean {
  return planted.size !== 0 && planted.has(id);
}

/** Brings the mistake `id` back, in this thread, until `clearMutants`. For tests only. */
export function plantMutant(id: string): void {
  planted.add(id);
}

export function clearMutants(): void {
  planted.clear();
}

/** What is planted here, to be planted in a worker thread as well. */
export function plantedMutants(): string[] {
  return [...planted];
}
