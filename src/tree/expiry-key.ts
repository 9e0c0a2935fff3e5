/*
 * A row of the expiry index: eight bytes of expiry, most significant first so that bytes order like times, then the user's
 * key. Binary strings.
 */

const HALF = 0x1_0000_0000;

export function expiryKey(expiryMs: number, key: string): string {
  return bigEndian(expiryMs) + key;
}

/** Before every index row that is later than `nowMs`, behind all others. */
export function expiryBound(nowMs: number): string {
  return bigEndian(Math.max(0, Math.floor(nowMs)) + 1);
}

export function expiryOf(indexKey: string): number {
  return wordAt(indexKey, 0) * HALF + wordAt(indexKey, 4);
}

export function keyOfExpiry(indexKey: string): string {
  return indexKey.slice(8);
}

function bigEndian(value: number): string {
  const high = Math.floor(value / HALF);
  const low = value % HALF;
  return String.fromCharCode(
    (high >>> 24) & 0xff,
    (high >>> 16) & 0xff,
    (high >>> 8) & 0xff,
    high & 0xff,
    (low >>> 24) & 0xff,
    (low >>> 16) & 0xff,
    (low >>> 8) & 0xff,
    low & 0xff,
  );
}

function wordAt(text: string, at: number): number {
  let word = 0;
  for (let i = at; i < at + 4; i++) word = word * 256 + text.charCodeAt(i);
  return word;
}
