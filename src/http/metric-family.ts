/** One number with its labels. */
export interface MetricSample {
  readonly labels: Readonly<Record<string, string>>;
  readonly value: number;
}

/** Numbers of one name. Counters only ever rise; gauges may fall. */
export interface MetricFamily {
  /** With its unit last, as Prometheus wants it: `kv_replica_lag_seconds`. */
  readonly name: string;
  readonly help: string;
  readonly kind: "counter" | "gauge";
  readonly labelNames: readonly string[];
  readonly samples: readonly MetricSample[];
}

/** A part of the node that can tell its numbers. Asked at every scrape; must be quick. */
export type MetricSource = () => readonly MetricFamily[];

/** A family with one number and no labels. */
export function singleMetric(
  kind: MetricFamily["kind"],
  name: string,
  { help, value }: { help: string; value: number },
): MetricFamily {
  return { name, help, kind, labelNames: [], samples: [{ labels: {}, value }] };
}
