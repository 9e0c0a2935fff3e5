import { Counter, Gauge, Registry } from "@prometheus-io/client";
import { DurationHistogram } from "./duration-histogram.ts";
import type { MetricFamily, MetricSource } from "./metric-family.ts";

const DURATION_NAME = "kv_http_request_duration_seconds";
const DURATION_HELP = "From a request's head to the end of its answer, by route";

interface RouteCounts {
  readonly countByStatus: Map<number, number>;
  readonly durations: DurationHistogram;
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
  readonly #labels: Readonly<Record<string, string>>;
  readonly #familyMetrics = new Map<string, Counter<string> | Gauge<string>>();

  /** `labels` go on every number: node and shard. */
  constructor(labels: Readonly<Record<string, string>>, sources: readonly MetricSource[]) {
    this.#sources = sources;
    this.#labels = labels;
    this.#registry.setDefaultLabels({ ...labels });
    this.#requests = new Counter({
      name: "kv_http_requests_total",
      help: "HTTP requests answered, by route and status",
      labelNames: ["route", "code"],
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
      counts = { countByStatus: new Map(), durations: new DurationHistogram() };
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
    return (await this.#registry.metrics()) + this.#renderDurations();
  }

  #renderDurations(): string {
    let text = `\n# HELP ${DURATION_NAME} ${DURATION_HELP}\n# TYPE ${DURATION_NAME} histogram\n`;
    for (const [route, { durations }] of this.#countsByRoute) {
      const labels = Object.entries({ route, ...this.#labels }).map(([name, value]) => `${name}="${escaped(value)}"`);
      text += durations.render(DURATION_NAME, labels.join(","));
    }
    return text;
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

/** As the text format wants a label's value. */
function escaped(value: string): string {
  return value.replaceAll("\\", "\\\\").replaceAll('"', '\\"').replaceAll("\n", "\\n");
}
