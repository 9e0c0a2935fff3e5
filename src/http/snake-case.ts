/**
 * A plain value with the names of its members written as JSON of this interface writes them: `lagMs` → `lag_ms`. Only for
 * values of our own making: names from outside never get here.
 */
export function snakeCaseMembers(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(snakeCaseMembers);
  if (typeof value !== "object" || value === null) return value;
  return Object.fromEntries(
    Object.entries(value).map(([name, member]) => [snakeCase(name), snakeCaseMembers(member)] as const),
  );
}

function snakeCase(name: string): string {
  return name.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);
}
