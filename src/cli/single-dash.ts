import type { Command } from "commander";

/**
 * Rewrites single-dash long options (`-shard=Hyderabad`, `-http-addr 127.0.0.2:8080`), as the small system takes them, to
 * double-dash ones. Only names in `longNames` are touched: `-abc` may also be a value, or short options in a row.
 */
export function acceptSingleDash(words: readonly string[], longNames: ReadonlySet<string>): string[] {
  const end = words.indexOf("--");
  return words.map((word, index) => {
    const name = /^-([a-z][a-z-]+)(?:=|$)/.exec(word)?.[1];
    const isOption = name !== undefined && longNames.has(name) && (end === -1 || index < end);
    return isOption ? `-${word}` : word;
  });
}

/** The names of a command's long options, without their dashes. */
export function longNamesOf(command: Command): Set<string> {
  return new Set(command.options.flatMap(({ long }) => long?.replace(/^--/, "") ?? []));
}
