import { styleText } from "node:util";
import type { NodeName } from "../model/position.ts";

const LEVELS: ReadonlyMap<number, string> = new Map([
  [10, "trace"],
  [20, "debug"],
  [30, "info"],
  [40, "warn"],
  [50, "error"],
  [60, "fatal"],
]);
const HIDDEN: ReadonlySet<string> = new Set(["level", "time", "msg", "shard"]);

/** A log line of `node` (JSON as pino writes it) for people: time, sentence, fields. Any other line stays as it is. */
export function renderLogLine(node: NodeName, line: string): string {
  const fields = parseFields(line);
  const message = fields?.get("msg");
  if (fields === null || typeof message !== "string") return line;
  const level = LEVELS.get(Number(fields.get("level"))) ?? "info";
  // Every line names its own node, which stands in front anyway; another one is part of what is told.
  const told = [...fields].filter(
    ([name, value]) => !HIDDEN.has(name) && !((name === "node" || name === "coordinator") && value === node),
  );
  const text = [message, ...told.map(([name, value]) => styleText("dim", `${name}=${fieldText(value)}`))].join(" ");
  const time = new Date(Number(fields.get("time") ?? Date.now())).toTimeString().slice(0, 8);
  if (level === "info") return `${styleText("dim", time)} ${text}`;
  return `${styleText("dim", time)} ${styleText(level === "warn" ? "yellow" : "red", `${level}: ${text}`)}`;
}

function parseFields(line: string): Map<string, unknown> | null {
  if (!line.startsWith("{")) return null;
  try {
    const value: unknown = JSON.parse(line);
    return typeof value === "object" && value !== null ? new Map(Object.entries(value)) : null;
  } catch {
    return null;
  }
}

function fieldText(value: unknown): string {
  return typeof value === "string" && /^[^\s"=]+$/.test(value) ? value : JSON.stringify(value);
}
