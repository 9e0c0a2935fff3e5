const STAR = 0x2a;
const QUESTION = 0x3f;
const OPEN = 0x5b;
const CLOSE = 0x5d;
const CARET = 0x5e;
const BACKSLASH = 0x5c;
const DASH = 0x2d;
const ESCAPED_IN_PREFIX: ReadonlySet<number> = new Set([STAR, QUESTION, OPEN, BACKSLASH]);

/**
 * Whether `text` matches a pattern as Redis understands it: `*`, `?`, `[abc]`, `[^a-z]`, `\` before a character that means
 * itself. Both are binary strings.
 *
 * Only the last `*` is ever gone back to, which is enough: time is at most the product of both lengths, whatever the pattern.
 */
export function matchesGlob(pattern: string, text: string): boolean {
  let at = 0;
  let in_ = 0;
  let starAt = -1;
  let starIn = 0;
  for (;;) {
    if (pattern.charCodeAt(at) === STAR) {
      starAt = at++;
      starIn = in_;
      continue;
    }
    if (in_ >= text.length) return at >= pattern.length;
    const end = at < pattern.length ? matchOne(pattern, at, text.charCodeAt(in_)) : -1;
    if (end >= 0) {
      at = end;
      in_++;
    } else if (starAt >= 0) {
      at = starAt + 1;
      in_ = ++starIn;
    } else return false;
  }
}

/** The literal characters that every match begins with. */
export function literalPrefix(pattern: string): string {
  let length = 0;
  while (length < pattern.length && !ESCAPED_IN_PREFIX.has(pattern.charCodeAt(length))) length++;
  return pattern.slice(0, length);
}

/** Where the pattern goes on when its part at `at` matches one character; -1 when it does not. */
function matchOne(pattern: string, at: number, character: number): number {
  const code = pattern.charCodeAt(at);
  if (code === QUESTION) return at + 1;
  if (code === OPEN) return matchClass(pattern, at + 1, character);
  const isEscape = code === BACKSLASH && at + 1 < pattern.length;
  const literalAt = isEscape ? at + 1 : at;
  return pattern.charCodeAt(literalAt) === character ? literalAt + 1 : -1;
}

/** A class that is not closed ends with the pattern, as in Redis. */
function matchClass(pattern: string, start: number, character: number): number {
  const isNegated = pattern.charCodeAt(start) === CARET;
  let at = isNegated ? start + 1 : start;
  let isIn = false;
  for (; at < pattern.length && pattern.charCodeAt(at) !== CLOSE; at++) {
    const code = pattern.charCodeAt(at);
    if (code === BACKSLASH && at + 1 < pattern.length) {
      at++;
      if (pattern.charCodeAt(at) === character) isIn = true;
    } else if (pattern.charCodeAt(at + 1) === DASH && at + 2 < pattern.length) {
      const other = pattern.charCodeAt(at + 2);
      if (character >= Math.min(code, other) && character <= Math.max(code, other)) isIn = true;
      at += 2;
    } else if (code === character) isIn = true;
  }
  return isIn === isNegated ? -1 : Math.min(at + 1, pattern.length);
}
