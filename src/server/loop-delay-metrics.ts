import { monitorEventLoopDelay } from "node:perf_hooks";
import type { MetricSource } from "../http/metric-family.ts";

const RESOLUTION_MS = 20;
const NS_PER_S = 1e9;
const QUANTILES = [0.5, 0.99, 0.999];

/** How late this process's event loop is: what stalls it, stalls every client and every heartbeat. */
export function loopDelayMetrics(): MetricSource {
  const histogram = monitorEventLoopDelay({ resolution: RESOLUTION_MS });
  histogram.enable();
  return () => [
    {
      name: "kv_event_loop_delay_seconds",
      help: "How late the event loop has been since the start, by quantile",
      kind: "gauge",
      labelNames: ["quantile"],
      samples: QUANTILES.map((quantile) => ({
        labels: { quantile: String(quantile) },
        value: histogram.percentile(quantile * 100) / NS_PER_S,
      })),
    },
  ];
}
