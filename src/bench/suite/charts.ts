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
const HEAD_HEIGHT = 92;
const FOOT_HEIGHT = 44;
/** How far from its bar a figure is drawn at most, to either side; its label tells the truth. */
const RATIO_SHOWN_MAX = 10;

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
  const option: EChartsCoreOption = {
    backgroundColor: "#ffffff",
    title: {
      text: "Every figure against its bar",
      subtext: "how many times as good as the bar asks; right of the line: reached. At the bars: figure (bar)",
      left: 20,
      top: 14,
      textStyle: { ...TEXT_STYLE, fontSize: 18, fontWeight: 600, color: INK },
      subtextStyle: { ...TEXT_STYLE, fontSize: 12, color: QUIET },
    },
    grid: { left: 330, right: 150, top: HEAD_HEIGHT, bottom: FOOT_HEIGHT },
    xAxis: {
      type: "log",
      logBase: 10,
      min: 1 / RATIO_SHOWN_MAX,
      max: RATIO_SHOWN_MAX,
      name: "× bar (logarithmic)",
      nameLocation: "middle",
      nameGap: 26,
      nameTextStyle: { ...TEXT_STYLE, fontSize: 12, color: QUIET },
      axisLabel: { ...TEXT_STYLE, fontSize: 11, color: QUIET },
      splitLine: { lineStyle: { color: "#eceff3" } },
    },
    yAxis: {
      type: "category",
      inverse: true,
      data: lines.map(nameOf),
      axisTick: { show: false },
      axisLine: { show: false },
      axisLabel: { ...TEXT_STYLE, fontSize: 12, color: INK, width: 300, overflow: "truncate" },
    },
    series: [overviewSeries(lines)],
  };
  return renderSvg(option, height);
}

function overviewSeries(lines: readonly Line[]): Readonly<Record<string, unknown>> {
  return {
    type: "bar",
    barWidth: 14,
    data: lines.map((line) => {
      const shown = Math.min(RATIO_SHOWN_MAX, Math.max(1 / RATIO_SHOWN_MAX, goodness(line.figure)));
      const mark = markOf({ figures: [line.figure], faults: line.row.faults, notes: [] });
      return {
        value: shown,
        itemStyle: { color: markColor(mark), borderRadius: 2 },
        // Beside the end of the bar: left of it where the bar points to the left.
        label: { position: shown >= 1 ? "right" : "left", formatter: labelOf(line) },
      };
    }),
    label: { ...TEXT_STYLE, show: true, fontSize: 11, color: INK },
    markLine: {
      symbol: "none",
      silent: true,
      lineStyle: { color: INK, type: "solid", width: 1.5 },
      label: { ...TEXT_STYLE, formatter: "bar", fontSize: 12, color: INK, position: "start", distance: -14 },
      data: [{ xAxis: 1 }],
    },
  };
}

function goodness({ direction, median, bar }: Figure): number {
  return direction === "at least" ? median / bar : bar / Math.max(median, bar / 1000);
}

function nameOf({ row, figure }: Line): string {
  const what = row.what.split(/, vs |: /)[0] ?? row.what;
  return `${row.id}  ${figure.label === "" ? what : `${what}; ${figure.label}`}`;
}

function labelOf({ figure }: Line): string {
  return `${formatFigure(figure.median, figure.unit)} (${formatLimit(figure, figure.bar)})`;
}

function renderSvg(option: EChartsCoreOption, height: number): string {
  const chart = init(null, null, { renderer: "svg", ssr: true, width: WIDTH, height });
  chart.setOption({ animation: false, ...option });
  const svg = chart.renderToSVGString();
  chart.dispose();
  return svg;
}
