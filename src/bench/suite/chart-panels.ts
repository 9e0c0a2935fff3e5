import type { EChartsCoreOption } from "echarts/core";
import { INK, markColor, OURS, QUIET, TEXT_STYLE, THEIRS, WIDTH } from "./chart-style.ts";
import { formatLimit, formatNumber, markOf, type RowResult } from "./result.ts";
import type { Figure, Side } from "./row.ts";

interface Panel {
  readonly row: RowResult;
  readonly figure: Figure;
  readonly peer: Side;
}

const PANELS_PER_LINE = 4;
const HEAD_HEIGHT = 84;
const PANEL_HEIGHT = 312;
const PANEL_WIDTH_MAX = 300;
const MARGIN = 20;

/** One panel for each figure: both sides' bars, and a line where ours has to reach. Each panel has a scale of its own. */
export function renderPanels(
  rows: readonly RowResult[],
  { title, subtitle }: { readonly title: string; readonly subtitle: string },
): { readonly option: EChartsCoreOption; readonly height: number } {
  const panels = rows.flatMap((row) =>
    row.figures.flatMap((figure) => (figure.peer === null ? [] : [{ row, figure, peer: figure.peer }])),
  );
  const columns = Math.min(PANELS_PER_LINE, panels.length);
  const height = HEAD_HEIGHT + PANEL_HEIGHT * Math.ceil(panels.length / columns);
  const width = Math.min(PANEL_WIDTH_MAX, (WIDTH - 2 * MARGIN) / columns);
  const places = panels.map((panel, index) => ({
    panel,
    index,
    left: MARGIN + width * (index % columns),
    top: HEAD_HEIGHT + PANEL_HEIGHT * Math.floor(index / columns),
    width,
  }));
  const heading = {
    text: title,
    subtext: subtitle,
    left: MARGIN,
    top: 14,
    textStyle: { ...TEXT_STYLE, fontSize: 18, fontWeight: 600, color: INK },
    subtextStyle: { ...TEXT_STYLE, fontSize: 12, color: QUIET },
  };
  const option: EChartsCoreOption = {
    backgroundColor: "#ffffff",
    title: [heading, ...places.map(panelTitle)],
    grid: places.map(({ left, top }) => ({ left: left + 12, top: top + 84, width: width - 40, height: 170 })),
    xAxis: places.map(({ panel, index }) => ({
      gridIndex: index,
      type: "category",
      data: [panel.figure.subject.name, panel.peer.name],
      axisTick: { show: false },
      axisLine: { lineStyle: { color: QUIET } },
      axisLabel: { ...TEXT_STYLE, fontSize: 11, color: INK, interval: 0, width: width / 2 - 24, overflow: "break" },
    })),
    yAxis: places.map(({ panel, index }) => ({
      gridIndex: index,
      type: "value",
      min: 0,
      max: 1.12 * Math.max(panel.figure.subject.value, panel.peer.value, panel.peer.value * panel.figure.bar),
      show: false,
    })),
    series: places.map(({ panel, index }) => panelSeries(panel, index)),
  };
  return { option, height };
}

interface Place {
  readonly panel: Panel;
  readonly left: number;
  readonly top: number;
}

function panelTitle({ panel, left, top }: Place): Readonly<Record<string, unknown>> {
  const { row, figure } = panel;
  const mark = markOf({ figures: [figure], faults: row.faults, notes: [] });
  return {
    text: [`${row.id}  ${row.name}`, figure.label].filter((part) => part !== "").join(": "),
    subtext: `${formatNumber(figure.median)} × (${formatNumber(figure.min)}–${formatNumber(figure.max)})\nbar ${formatLimit(figure, figure.bar)}: ${mark}`,
    left: left + 4,
    top,
    itemGap: 5,
    textStyle: { ...TEXT_STYLE, fontSize: 12, fontWeight: 600, color: INK },
    subtextStyle: { ...TEXT_STYLE, fontSize: 11, lineHeight: 15, color: markColor(mark) },
  };
}

function panelSeries({ figure, peer }: Panel, index: number): Readonly<Record<string, unknown>> {
  return {
    type: "bar",
    xAxisIndex: index,
    yAxisIndex: index,
    barWidth: "52%",
    data: [
      { value: figure.subject.value, itemStyle: { color: OURS, borderRadius: [3, 3, 0, 0] } },
      { value: peer.value, itemStyle: { color: THEIRS, borderRadius: [3, 3, 0, 0] } },
    ],
    label: {
      ...TEXT_STYLE,
      show: true,
      position: "insideBottom",
      fontSize: 11,
      color: INK,
      backgroundColor: "rgba(255,255,255,0.85)",
      padding: [2, 4],
      borderRadius: 2,
      formatter: ({ value }: { readonly value: number }) => formatNumber(value),
    },
    markLine: {
      symbol: "none",
      silent: true,
      lineStyle: { color: "#c8502d", type: "dashed", width: 1.5 },
      label: { ...TEXT_STYLE, formatter: "bar", fontSize: 11, color: "#c8502d", position: "end", distance: 2 },
      data: [{ yAxis: peer.value * figure.bar }],
    },
  };
}
