import { HOST } from "./cores.ts";

/** What a node of ours tells at `/metrics`, at one moment. */
export class NodeMetrics {
  readonly #text: string;

  constructor(text: string) {
    this.#text = text;
  }

  static async read(httpPort: number): Promise<NodeMetrics> {
    const response = await fetch(`http://${HOST}:${httpPort}/metrics`);
    if (response.status !== 200) throw new Error(`/metrics answered ${response.status}`);
    return new NodeMetrics(await response.text());
  }

  /** The largest sample of the metric; throws when there is none: a renamed metric must not look like 0. */
  value(name: string): number {
    const samples = [...this.#text.matchAll(new RegExp(`^${name}(?:\\{[^}]*\\})? (\\S+)$`, "gm"))];
    if (samples.length === 0) throw new Error(`the node has no metric ${name}`);
    return Math.max(...samples.map((sample) => Number(sample[1])));
  }

  /** Entries of the log that the tree does not have. */
  get unappliedEntries(): number {
    return this.value("kv_shard_last_sequence") - this.value("kv_shard_applied_sequence");
  }
}
