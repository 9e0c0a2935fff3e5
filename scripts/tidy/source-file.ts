import { parseSync } from "oxc-parser";

/** One breach of a rule: where it is (1-based line) and what to do about it. */
export interface Fault {
  readonly path: string;
  readonly line: number;
  readonly message: string;
}

/** A node of the syntax tree, as far as the rules look at it: offsets count UTF-16 units from the file's start. */
export interface SyntaxNode {
  readonly type: string;
  readonly start: number;
  readonly end: number;
  readonly [field: string]: unknown;
}

/** A file of the tree: `path` is relative to the root, with forward slashes. */
export interface TextFile {
  readonly path: string;
  readonly text: string;
}

/**
 * A parsed TypeScript or JavaScript file. It owns the syntax tree and the table of line starts; it is immutable. A file
 * that does not parse has an empty tree: the compiler reports that better than we could.
 */
export class SourceFile implements TextFile {
  readonly path: string;
  readonly text: string;
  readonly program: SyntaxNode;
  readonly #lineStarts: readonly number[];

  constructor(path: string, text: string) {
    this.path = path;
    this.text = text;
    const parsed: unknown = parseSync(path, text).program;
    this.program = isSyntaxNode(parsed) ? parsed : { type: "Program", start: 0, end: text.length };
    this.#lineStarts = [...text.matchAll(/^/gm)].map((match) => match.index);
  }

  get lineCount(): number {
    return this.lineAt(this.text.length);
  }

  get isTest(): boolean {
    return this.path.endsWith(".test.ts") || this.path.startsWith("tests/");
  }

  /** The folder directly below src/ ("log" for src/log/disk/segment.ts), or undefined outside src/. */
  get srcFolder(): string | undefined {
    return /^src\/([^/]+)\//.exec(this.path)?.[1];
  }

  /** The 1-based line that holds the character at `offset`. */
  lineAt(offset: number): number {
    let low = 0;
    let high = this.#lineStarts.length - 1;
    while (low < high) {
      const middle = (low + high + 1) >> 1;
      if ((this.#lineStarts[middle] ?? 0) <= offset) low = middle;
      else high = middle - 1;
    }
    return low + 1;
  }

  fault(node: SyntaxNode, message: string): Fault {
    return { path: this.path, line: this.lineAt(node.start), message };
  }

  /** Calls `visit` for every node below the program, parents first, with the parent and the parent's field. */
  walk(visit: (node: SyntaxNode, parent: SyntaxNode, field: string) => void): void {
    walkBelow(this.program, visit);
  }
}

function walkBelow(parent: SyntaxNode, visit: (node: SyntaxNode, parent: SyntaxNode, field: string) => void): void {
  for (const [field, value] of Object.entries(parent)) {
    for (const child of Array.isArray(value) ? value : [value]) {
      if (!isSyntaxNode(child)) continue;
      visit(child, parent, field);
      walkBelow(child, visit);
    }
  }
}

/** True for anything that looks like a node of the tree. */
export function isSyntaxNode(value: unknown): value is SyntaxNode {
  return typeof value === "object" && value !== null && "type" in value && "start" in value && "end" in value;
}
