import { formatFigure, formatLimit, formatNumber, markOf, type ResultFile, type RowResult } from "./result.ts";
import type { Figure } from "./row.ts";

const BEGIN = "<!-- results:begin (written by npm run bench) -->";
const END = "<!-- results:end -->";
const HEADERS = ["#", "what", "bar", "goal", "figure", "spread", "kv", "peer", "mark"] as const;

/**
 * `document` with the part between the two marks written anew; throws when it has no marks. `charts` are files' names in
 * the folder benchmarks.
 */
export function replaceResults(document: string, results: ResultFile, charts: readonly string[]): string {
  const begin = document.indexOf(BEGIN);
  const end = document.indexOf(END);
  if (begin < 0 || end < begin) throw new Error(`the document has no lines ${BEGIN} and ${END}`);
  return `${document.slice(0, begin)}${BEGIN}\n\n${renderResults(results, charts)}\n${document.slice(end)}`;
}

/** Machine, table, and what is to be known about single rows, in Markdown. */
function renderResults({ surroundings, rows }: ResultFile, charts: readonly string[]): string {
  const { cpu, cores, memoryGib, kernel, disk, node, redis, etcd, wrk } = surroundings;
  return [
    `Machine of the newest run: ${cpu}, ${cores} cores, ${memoryGib} GiB, ${kernel}, data on ${disk}.`,
    `Versions: Node ${node}, Redis ${redis}, etcd ${etcd}, wrk ${wrk}.`,
    "",
    ...renderTable(rows),
    "",
    ...renderProvenance(rows),
    ...rows.flatMap(renderRemarks),
    ...charts.flatMap((name) => ["", `![${name.replace(".svg", "")}](benchmarks/${name})`]),
  ].join("\n");
}

function renderTable(rows: readonly RowResult[]): string[] {
  const lines = rows.flatMap((row) =>
    row.figures.length === 0
      ? [[row.id, row.what, "", "", "", "", "", "", bold(markOf(row))]]
      : row.figures.map((figure, index) => cellsOf(row, figure, index === 0)),
  );
  return [HEADERS, HEADERS.map(() => "---"), ...lines].map((cells) => `| ${cells.join(" | ")} |`);
}

function cellsOf(row: RowResult, figure: Figure, isFirst: boolean): string[] {
  const side = (one: Figure["peer"]): string =>
    one === null ? "" : `${one.name === "kv" ? "" : `${one.name}: `}${formatNumber(one.value)} ${one.unit}`;
  return [
    isFirst ? row.id : "",
    [isFirst ? row.what : "", figure.label].filter((text) => text !== "").join("; "),
    formatLimit(figure, figure.bar),
    formatLimit(figure, figure.reach),
    `**${formatFigure(figure.median, figure.unit)}**`,
    `${formatNumber(figure.min)}–${formatNumber(figure.max)}`,
    side(figure.subject),
    side(figure.peer),
    bold(markOf({ figures: [figure], faults: row.faults, notes: [] })),
  ];
}

/** What was not reached must be seen. */
function bold(mark: string): string {
  return mark === "MISSED" || mark === "not valid" ? `**${mark}**` : mark;
}

function renderProvenance(rows: readonly RowResult[]): string[] {
  const groups = Map.groupBy(rows, ({ form, date, commit }) => `${form} form, ${date.slice(0, 10)}, commit ${commit}`);
  return [...groups].map(([origin, members]) => `- ${members.map(({ id }) => id).join(", ")}: ${origin}`);
}

function renderRemarks({ id, faults, notes }: RowResult): string[] {
  return [...faults.map((fault) => `- ${id} is **not valid**: ${fault}`), ...notes.map((note) => `- ${id}: ${note}`)];
}
