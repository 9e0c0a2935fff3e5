import { Command } from "commander";
import type { Form } from "./row.ts";

export interface SuitePlan {
  readonly form: Form;
  /** Ids of the rows to run, in the order of the suite. */
  readonly rowIds: readonly string[];
  /** Where the results go besides; null: nowhere. */
  readonly jsonFile: string | null;
  /** Parent of the folder with everybody's data. */
  readonly directory: string;
  /** Whether the results are kept in docs/. */
  readonly keeps: boolean;
}

interface Options {
  readonly quick?: true;
  readonly only?: string;
  readonly json?: string;
  readonly directory: string;
  readonly keep: boolean;
}

/** Understands the words after `npm run bench --`. Throws commander's error on what it does not know. */
export function parseSuiteArguments(words: readonly string[], known: readonly string[]): SuitePlan {
  const program = new Command("bench")
    .description("Measures this database beside its peers: rows P1 to P15 of docs/BENCHMARKS.md.")
    .option("--quick", "every row with a short plan, under three minutes: to see that it works, not to compare")
    .option("--only <rows>", "only these rows, as in P1,P3")
    .option("--json <file>", "write the results of this run here")
    .option("--directory <path>", "where the data go meanwhile; must be on a real disk", "data")
    .option("--no-keep", "leave docs/ as it is")
    .exitOverride();
  program.parse([...words], { from: "user" });
  const options = program.opts<Options>();
  return {
    form: options.quick === true ? "quick" : "full",
    rowIds: options.only === undefined ? known : chooseRows(options.only, known, program),
    jsonFile: options.json ?? null,
    directory: options.directory,
    keeps: options.keep,
  };
}

function chooseRows(text: string, known: readonly string[], program: Command): string[] {
  const wanted = new Set(text.split(",").map((word) => word.trim().toUpperCase()));
  for (const id of wanted) {
    if (!known.includes(id)) program.error(`--only ${text}: there is no row ${id}, only ${known.join(", ")}`);
  }
  return known.filter((id) => wanted.has(id));
}
