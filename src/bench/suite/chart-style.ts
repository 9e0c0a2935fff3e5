import type { Mark } from "./result.ts";

export const WIDTH = 960;
export const INK = "#1f2933";
export const QUIET = "#66727f";
export const OURS = "#2563a8";
export const THEIRS = "#b4bec9";
export const TEXT_STYLE = { fontFamily: "system-ui, sans-serif" } as const;

const MARK_COLORS: Readonly<Record<Mark, string>> = {
  "goal reached": "#1f8a5b",
  reached: "#2563a8",
  MISSED: "#c8502d",
  "not valid": "#b4bec9",
};

export function markColor(mark: Mark): string {
  return MARK_COLORS[mark];
}
