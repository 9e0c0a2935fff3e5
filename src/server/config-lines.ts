/**
 * Where the keys of a TOML file stand: "cluster.name", "shards[1]" (its header) and "shards[1].idx" to 1-based lines.
 *
 * The parser gives values without positions. This looks at headers and at `key =` at the start of a line, which is how
 * people write the file; what it cannot see (inline tables, dotted keys) has no line, and messages then do without one.
 */
export function locateKeys(text: string): ReadonlyMap<string, number> {
  const lineByKey = new Map<string, number>();
  const lengthByArray = new Map<string, number>();
  let table = "";
  for (const [index, line] of text.split("\n").entries()) {
    const header = /^\s*(\[{1,2})\s*([A-Za-z0-9_-]+)\s*\]{1,2}\s*(?:#.*)?$/.exec(line.trimEnd());
    if (header !== null) {
      const name = header[2] ?? "";
      table = header[1] === "[[" ? nextElement(lengthByArray, name) : name;
      remember(lineByKey, table, index + 1);
      continue;
    }
    const key = /^\s*["']?([A-Za-z0-9_-]+)["']?\s*=/.exec(line)?.[1];
    if (key !== undefined) remember(lineByKey, table === "" ? key : `${table}.${key}`, index + 1);
  }
  return lineByKey;
}

function nextElement(lengthByArray: Map<string, number>, name: string): string {
  const length = lengthByArray.get(name) ?? 0;
  lengthByArray.set(name, length + 1);
  return `${name}[${length}]`;
}

function remember(lineByKey: Map<string, number>, key: string, line: number): void {
  if (!lineByKey.has(key)) lineByKey.set(key, line);
}
