import { Counter, Gauge, Histogram, Registry } from "@prometheus-io/client";
import type { MetricFamily, MetricSource } from "./metric-family.ts";

const DURATION_BUCKETS_SECONDS = [
  0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10,
];

interface RouteCounts {
  readonly countByStatus: Map<number, number>;
  readonly durations: { observe(seconds: number): void };
}

/**
 * The numbers of this node for Prometheus: requests by route and status, their durations, and what other parts tell.
 *
 * Owns a registry of its own. Requests are counted in plain maps and carried over when somebody asks: the library hashes
 * labels at every increment. Other parts are asked through their sources, only then.
 */
export class HttpMetrics {
  readonly #registry = new Registry();
  readonly #sources: readonly MetricSource[];
  readonly #countsByRoute = new Map<string, RouteCounts>();
  readonly #requests: Counter<"route" | "code">;
  readonly #durations: Histogram<"route">;
  readonly #familyMetrics = new Map<string, Counter<string> | Gauge<string>>();

  /** `labels` go on every number: node and shard. */
  constructor(labels: Readonly<Record<string, string>>, sources: readonly MetricSource[]) {
    this.#sources = sources;
    this.#registry.setDefaultLabels({ ...labels });
    this.#requests = new Counter({
      name: "kv_http_requests_total",
      help: "HTTP requests answered, by route and status",
      labelNames: ["route", "code"],
      registers: [this.#registry],
    });
    this.#durations = new Histogram({
      name: "kv_http_request_duration_seconds",
      help: "From a request's head to the end of its answer, by route",
      labelNames: ["route"],
      buckets: DURATION_BUCKETS_SECONDS,
      registers: [this.#registry],
    });
  }

  get contentType(): string {
    return this.#registry.contentType;
  }

  /** Counts one answered request. `route` is a route's name, never a path: its values are few. */
  count(route: string, status: number, durationMs: number): void {
    let counts = this.#countsByRoute.get(route);
    if (counts === undefined) {
      counts = { countByStatus: new Map(), durations: this.#durations.labels(route) };
      this.#countsByRoute.set(route, counts);
    }
    counts.countByStatus.set(status, (counts.countByStatus.get(status) ?? 0) + 1);
    counts.durations.observe(durationMs / 1000);
  }

  /** Requests answered with `status` so far, over all routes. */
  countOfStatus(status: number): number {
    let count = 0;
    for (const { countByStatus } of this.#countsByRoute.values()) count += countByStatus.get(status) ?? 0;
    return count;
  }

  /** Asks every source and renders everything in the text format. A failure here is a fault of the program. */
  async render(): Promise<string> {
    this.#carryOverRequests();
    for (const source of this.#sources) {
      for (const family of source()) this.#carryOver(family);
    }
    return this.#registry.metrics();
  }

  #carryOverRequests(): void {
    this.#requests.reset();
    for (const [route, { countByStatus }] of this.#countsByRoute) {
      for (const [status, count] of countByStatus) this.#requests.inc({ route, code: String(status) }, count);
    }
  }

  #carryOver(family: MetricFamily): void {
    const metric = this.#familyMetrics.get(family.name) ?? this.#register(family);
    metric.reset();
    for (const { labels, value } of family.samples) {
      // What is not known yet (the mean of nothing) is left out rather than shown as a number.
      if (Number.isFinite(value)) metric.inc({ ...labels }, value);
    }
  }

  #register(family: MetricFamily): Counter<string> | Gauge<string> {
    const { name, help } = family;
    const configuration = { name, help, labelNames: [...family.labelNames], registers: [this.#registry] };
    const metric = family.kind === "counter" ? new Counter<string>(configuration) : new Gauge<string>(configuration);
    this.#familyMetrics.set(name, metric);
    return metric;
  }
}
