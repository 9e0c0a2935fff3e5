import { styleText } from "node:util";
import { renderLogLine } from "./node-log-line.ts";
import type { PlannedProcess } from "./planned-process.ts";

const COLOURS = ["cyan", "magenta", "yellow", "green", "blue", "cyanBright", "magentaBright", "yellowBright"] as const;
/** A line of a node's log below the level of errors. */
const CHATTER = /^\{"level":[1-4]0,/;
/** Withheld lines of one node: its last ones tell why it failed. */
const WITHHELD_MAX = 40;

/**
 * The processes' lines, each behind its process's name in the process's colour.
 *
 * While the cluster starts, nodes look for each other and say so in a hundred lines: these are withheld, but for errors,
 * until `showAll`, and then forgotten. When the start fails, `showWithheld` prints the last ones of a process.
 */
export class ClusterOutput {
  readonly #prefixes: ReadonlyMap<string, string>;
  readonly #withheld = new Map<string, string[]>();
  #isQuiet: boolean;

  constructor(processes: readonly PlannedProcess[], isVerbose: boolean) {
    const width = Math.max(...processes.map(({ label }) => label.length));
    this.#prefixes = new Map(
      processes.map(({ name, label: text }, index) => {
        const label = text.padEnd(width);
        return [name, styleText(COLOURS[index % COLOURS.length] ?? "cyan", `${label} |`)] as const;
      }),
    );
    this.#isQuiet = !isVerbose;
  }

  /** A line that a process printed. */
  lineOf(name: string, line: string): void {
    const rendered = `${this.#prefixes.get(name) ?? name} ${renderLogLine(name, line)}`;
    if (!this.#isQuiet || !CHATTER.test(line)) {
      console.log(rendered);
      return;
    }
    const lines = this.#withheld.get(name) ?? [];
    lines.push(rendered);
    if (lines.length > WITHHELD_MAX) lines.shift();
    this.#withheld.set(name, lines);
  }

  /** A line about a process; never withheld. */
  newsOf(name: string, line: string): void {
    console.log(`${this.#prefixes.get(name) ?? name} ${line}`);
  }

  showAll(): void {
    this.#isQuiet = false;
    this.#withheld.clear();
  }

  showWithheld(name: string): void {
    for (const line of this.#withheld.get(name) ?? []) console.log(line);
    this.#withheld.delete(name);
  }
}
