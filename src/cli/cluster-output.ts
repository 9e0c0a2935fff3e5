import { styleText } from "node:util";
import type { NodeName } from "../model/position.ts";
import type { PlannedNode } from "./node-child.ts";
import { renderLogLine } from "./node-log-line.ts";

const COLOURS = ["cyan", "magenta", "yellow", "green", "blue", "cyanBright", "magentaBright", "yellowBright"] as const;
/** A line of a node's log below the level of errors. */
const CHATTER = /^\{"level":[1-4]0,/;
/** Withheld lines of one node: its last ones tell why it failed. */
const WITHHELD_MAX = 40;

/**
 * The nodes' lines, each behind its node's name in the node's colour.
 *
 * While the cluster starts, nodes look for each other and say so in a hundred lines: these are withheld, but for errors,
 * until `showAll`, and then forgotten. When the start fails, `showWithheld` prints the last ones of a node.
 */
export class ClusterOutput {
  readonly #prefixes: ReadonlyMap<NodeName, string>;
  readonly #withheld = new Map<NodeName, string[]>();
  #isQuiet: boolean;

  constructor(nodes: readonly PlannedNode[], isVerbose: boolean) {
    const width = Math.max(...nodes.map((planned) => labelOf(planned).length));
    this.#prefixes = new Map(
      nodes.map((planned, index) => {
        const label = labelOf(planned).padEnd(width);
        return [planned.node, styleText(COLOURS[index % COLOURS.length] ?? "cyan", `${label} |`)] as const;
      }),
    );
    this.#isQuiet = !isVerbose;
  }

  /** A line that a node printed. */
  nodeLine(node: NodeName, line: string): void {
    const rendered = `${this.#prefixes.get(node) ?? node} ${renderLogLine(node, line)}`;
    if (!this.#isQuiet || !CHATTER.test(line)) {
      console.log(rendered);
      return;
    }
    const lines = this.#withheld.get(node) ?? [];
    lines.push(rendered);
    if (lines.length > WITHHELD_MAX) lines.shift();
    this.#withheld.set(node, lines);
  }

  /** A line about a node; never withheld. */
  newsOf(node: NodeName, line: string): void {
    console.log(`${this.#prefixes.get(node) ?? node} ${line}`);
  }

  showAll(): void {
    this.#isQuiet = false;
    this.#withheld.clear();
  }

  showWithheld(node: NodeName): void {
    for (const line of this.#withheld.get(node) ?? []) console.log(line);
    this.#withheld.delete(node);
  }
}

function labelOf({ shard, node }: PlannedNode): string {
  return `${shard} ${node}`;
}
