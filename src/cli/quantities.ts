const UNITS = ["B", "KiB", "MiB", "GiB", "TiB"] as const;

/** A number of bytes for people: `3.4 MiB`. */
export function formatBytes(byteCount: number): string {
  let amount = byteCount;
  let unit = 0;
  while (amount >= 1024 && unit < UNITS.length - 1) {
    amount /= 1024;
    unit += 1;
  }
  return unit === 0 || amount >= 100 ? `${Math.round(amount)} ${UNITS[unit]}` : `${amount.toFixed(1)} ${UNITS[unit]}`;
}

/** A number with its thousands set apart: `138,398`. */
export function formatCount(count: number): string {
  return Math.round(count).toLocaleString("en-US");
}

/** Milliseconds for people: `0.31 ms`, `12 ms`, `2.4 s`. */
export function formatMs(ms: number): string {
  if (ms >= 1000) return `${(ms / 1000).toFixed(1)} s`;
  if (ms >= 10 || ms === 0) return `${Math.round(ms)} ms`;
  return `${ms.toFixed(2)} ms`;
}

/** `1 node`, `2 nodes`, `3 entries`. */
export function countOf(count: number, noun: string): string {
  const plural = noun.endsWith("y") && !noun.endsWith("ey") ? `${noun.slice(0, -1)}ies` : `${noun}s`;
  return `${formatCount(count)} ${count === 1 ? noun : plural}`;
}
