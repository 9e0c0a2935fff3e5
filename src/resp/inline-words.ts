const SPACES: ReadonlySet<string> = new Set([" ", "\n", "\r", "\t", "\v", "\f"]);
const ESCAPES: Readonly<Record<string, string>> = { n: "\n", r: "\r", t: "\t", b: "\b", a: "\u0007" };

/**
 * Splits a command typed by a person into words, as Redis does: words in double quotes know escapes (`\n`, `\x41`), words in
 * single quotes only `\'`; nothing stands behind a NUL. Null when quotes are not balanced, or something else than a space follows a closing quote.
 */
export function splitInlineWords(typed: string): string[] | null {
  const words: string[] = [];
  const [line = ""] = typed.split("\0", 1);
  let at = 0;
  for (;;) {
    while (at < line.length && isSpace(line, at)) at++;
    if (at >= line.length) return words;
    const word = readWord(line, at);
    if (word === null) return null;
    words.push(word.text);
    at = word.end;
  }
}

function isSpace(line: string, at: number): boolean {
  return SPACES.has(line[at] ?? " ");
}

function readWord(line: string, start: number): { text: string; end: number } | null {
  let text = "";
  for (let at = start; at < line.length; at++) {
    const character = line[at] ?? "";
    if (isSpace(line, at)) return { text, end: at };
    if (character !== '"' && character !== "'") {
      text += character;
      continue;
    }
    const quoted = character === '"' ? readDoubleQuoted(line, at + 1) : readSingleQuoted(line, at + 1);
    if (quoted === null || (quoted.end < line.length && !isSpace(line, quoted.end))) return null;
    return { text: text + quoted.text, end: quoted.end };
  }
  return { text, end: line.length };
}

function readDoubleQuoted(line: string, start: number): { text: string; end: number } | null {
  let text = "";
  for (let at = start; at < line.length; at++) {
    const character = line[at] ?? "";
    if (character === '"') return { text, end: at + 1 };
    if (character !== "\\" || at + 1 >= line.length) {
      text += character;
      continue;
    }
    const hex = /^x[0-9a-fA-F]{2}/.exec(line.slice(at + 1, at + 4))?.[0];
    const next = line[at + 1] ?? "";
    text += hex === undefined ? (ESCAPES[next] ?? next) : String.fromCharCode(Number.parseInt(hex.slice(1), 16));
    at += hex === undefined ? 1 : 3;
  }
  return null;
}

function readSingleQuoted(line: string, start: number): { text: string; end: number } | null {
  let text = "";
  for (let at = start; at < line.length; at++) {
    const character = line[at] ?? "";
    if (character === "'") return { text, end: at + 1 };
    const isEscape = character === "\\" && line[at + 1] === "'";
    text += isEscape ? "'" : character;
    if (isEscape) at++;
  }
  return null;
}
