import { BarChart } from "echarts/charts";
import { GridComponent, MarkLineComponent, TitleComponent } from "echarts/components";
import { type EChartsCoreOption, init, use } from "echarts/core";
import { SVGRenderer } from "echarts/renderers";
import { renderPanels } from "./chart-panels.ts";
import { INK, markColor, QUIET, TEXT_STYLE, WIDTH } from "./chart-style.ts";
import { formatFigure, formatLimit, markOf, type RowResult } from "./result.ts";
import type { Figure } from "./row.ts";

export interface Chart {
  readonly name: string;
  readonly svg: string;
}

interface PanelChart {
  readonly name: string;
  readonly title: string;
  readonly subtitle: string;
  readonly rowIds: readonly string[];
}

const PANEL_CHARTS: readonly PanelChart[] = [
  {
    name: "redis.svg",
    title: "Redis protocol: this database beside Redis 7.0",
    subtitle: "operations a second, one server core, 64 connections, 64-byte values; Redis with appendfsync always",
    rowIds: ["P1", "P2", "P3", "P4"],
  },
  {
    name: "http.svg",
    title: "HTTP: this database beside an empty node:http server and etcd",
    subtitle: "requests a second, one server core, 64 connections, 64-byte values",
    rowIds: ["P5", "P6"],
  },
  {
    name: "growth.svg",
    title: "What growth costs: more keys in the store",
    subtitle: "operations a second with uniform random keys, not pinned; against the same store with few keys",
    rowIds: ["P7"],
  },
  {
    name: "cluster.svg",
    title: "What the cluster costs: replication and forwarding",
    subtitle: "operations a second, 64 connections, 64-byte values",
    rowIds: ["P8", "P9"],
  },
];

const ROW_HEIGHT = 26;
const HEAD_HEIGHT = 104;
const FOOT_HEIGHT = 44;
/** How far from its bar a figure is drawn at most, to either side; its text tells the truth. */
const RATIO_SHOWN_MAX = 10;
const SHOWN_MARKS = ["goal reached", "reached", "MISSED", "not valid"] as const;

use([BarChart, GridComponent, MarkLineComponent, TitleComponent, SVGRenderer]);

/** All charts that the rows are enough for. */
export function renderCharts(rows: readonly RowResult[]): Chart[] {
  const charts: Chart[] = [];
  const measured = rows.filter(({ figures }) => figures.length > 0);
  if (measured.length > 0) charts.push({ name: "overview.svg", svg: renderOverview(measured) });
  for (const { name, title, subtitle, rowIds } of PANEL_CHARTS) {
    const chosen = measured.filter(({ id }) => rowIds.includes(id));
    if (chosen.length === 0) continue;
    const { option, height } = renderPanels(chosen, { title, subtitle });
    charts.push({ name, svg: renderSvg(option, height) });
  }
  return charts;
}

interface Line {
  readonly row: RowResult;
  readonly figure: Figure;
}

/** Every figure against its own bar: how many times as good as it has to be. */
function renderOverview(rows: readonly RowResult[]): string {
  const lines: Line[] = rows.flatMap((row) => row.figures.map((figure) => ({ row, figure })));
  const height = HEAD_HEIGHT + FOOT_HEIGHT + ROW_HEIGHT * lines.length;
  const heading = {
    text: "Every figure against its bar",
    subtext: "how many times as good as its bar asks; what ends right of the line has reached it",
    left: 20,
    top: 14,
    textStyle: { ...TEXT_STYLE, fontSize: 18, fontWeight: 600, color: INK },
    subtextStyle: { ...TEXT_STYLE, fontSize: 12, color: QUIET },
  };
  const option: EChartsCoreOption = {
    backgroundColor: "#ffffff",
    title: [heading, ...legend()],
    grid: { left: 320, right: 196, top: HEAD_HEIGHT, bottom: FOOT_HEIGHT },
    xAxis: {
      type: "log",
      logBase: 10,
      min: 1 / RATIO_SHOWN_MAX,
      max: RATIO_SHOWN_MAX,
      name: "× bar (logarithmic; longer bars are cut)",
      nameLocation: "middle",
      nameGap: 26,
      nameTextStyle: { ...TEXT_STYLE, fontSize: 12, color: QUIET },
      axisLabel: { ...TEXT_STYLE, fontSize: 11, color: QUIET },
      splitLine: { lineStyle: { color: "#eceff3" } },
    },
    yAxis: [
      lineAxis("left", lines.map(nameOf)),
      lineAxis(
        "right",
        lines.map(({ figure }) => figureText(figure)),
      ),
    ],
    series: [overviewSeries(lines)],
  };
  return renderSvg(option, height);
}

/** The marks' colours, upper right. */
function legend(): Readonly<Record<string, unknown>>[] {
  return SHOWN_MARKS.map((mark, index) => ({
    text: `\u25a0 ${mark}`,
    right: 20 + 110 * (SHOWN_MARKS.length - 1 - index),
    top: 20,
    textStyle: { ...TEXT_STYLE, fontSize: 12, fontWeight: 400, color: markColor(mark) },
  }));
}

function lineAxis(position: "left" | "right", texts: readonly string[]): Readonly<Record<string, unknown>> {
  return {
    type: "category",
    position,
    inverse: true,
    data: texts,
    axisTick: { show: false },
    axisLine: { show: false },
    axisLabel: { ...TEXT_STYLE, fontSize: 12, color: INK, interval: 0 },
  };
}

function overviewSeries(lines: readonly Line[]): Readonly<Record<string, unknown>> {
  return {
    type: "bar",
    barWidth: 14,
    data: lines.map((line) => {
      const mark = markOf({ figures: [line.figure], faults: line.row.faults, notes: [] });
      return {
        value: Math.min(RATIO_SHOWN_MAX, Math.max(1 / RATIO_SHOWN_MAX, goodness(line.figure))),
        itemStyle: { color: markColor(mark), borderRadius: 2 },
      };
    }),
    markLine: {
      symbol: "none",
      silent: true,
      lineStyle: { color: INK, type: "solid", width: 1.5 },
      label: { ...TEXT_STYLE, formatter: "bar", fontSize: 12, color: INK, position: "start", distance: 4 },
      data: [{ xAxis: 1 }],
    },
  };
}

function goodness({ direction, median, bar }: Figure): number {
  return direction === "at least" ? median / bar : bar / Math.max(median, bar / 1000);
}

function nameOf({ row, figure }: Line): string {
  return [`${row.id}  ${row.name}`, figure.label].filter((part) => part !== "").join(": ");
}

function figureText(figure: Figure): string {
  return `${formatFigure(figure.median, figure.unit)}  (bar ${formatLimit(figure, figure.bar)})`;
}

function renderSvg(option: EChartsCoreOption, height: number): string {
  const chart = init(null, null, { renderer: "svg", ssr: true, width: WIDTH, height });
  chart.setOption({ animation: false, ...option });
  const svg = chart.renderToSVGString();
  chart.dispose();
  return svg;
}
