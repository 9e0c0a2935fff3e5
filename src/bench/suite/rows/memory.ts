import { setTimeout as sleep } from "node:timers/promises";
import { spreadOf } from "../statistics.ts";
import { KvCluster } from "../kv-cluster.ts";
import { preload } from "../preload.ts";
import { defineRow, type Row, type RowOutcome } from "../row.ts";
import type { Workbench } from "../workbench.ts";

interface Plan {
  readonly samples: number;
  readonly keyCount: number;
  readonly idleSeconds: number;
}

const VALUE_BYTES = 64;
const SAMPLE_INTERVAL_MS = 1000;
const MEBIBYTE = 2 ** 20;

/** P13: what a key costs in memory when nobody asks for it. */
export const MEMORY: Row = defineRow<Plan>({
  id: "P13",
  name: "Memory for a key",
  what: "RssAnon of a loaded node (10 M keys, idle 60 s) minus an empty one's, per key",
  needs: [],
  full: { samples: 5, keyCount: 10_000_000, idleSeconds: 60 },
  quick: { samples: 1, keyCount: 100_000, idleSeconds: 1 },
  measure,
});

async function measure(bench: Workbench, plan: Plan): Promise<RowOutcome> {
  const { first: loaded } = await KvCluster.start(bench, { core: null });
  bench.say(`  loading ${plan.keyCount.toLocaleString("en-US")} keys`);
  await preload(loaded.respPort, { keyCount: plan.keyCount, valueBytes: VALUE_BYTES });
  await loaded.waitDrained();
  const { first: empty } = await KvCluster.start(bench, { core: null });
  await sleep(plan.idleSeconds * 1000);
  const perKey: number[] = [];
  for (let sample = 0; sample < plan.samples; sample++) {
    if (sample > 0) await sleep(SAMPLE_INTERVAL_MS);
    perKey.push((loaded.anonymousBytes - empty.anonymousBytes) / plan.keyCount);
  }
  const unit = "MiB";
  const figure = {
    ...({ label: "", direction: "at most", unit: "bytes", bar: 8, reach: 1 } as const),
    ...spreadOf(perKey),
    subject: { name: "kv", value: loaded.anonymousBytes / MEBIBYTE, unit },
    peer: { name: "empty", value: empty.anonymousBytes / MEBIBYTE, unit },
  };
  bench.say(`  ${figure.median.toFixed(2)} bytes a key`);
  const notes =
    plan.keyCount < 10_000_000
      ? [`only ${plan.keyCount.toLocaleString("en-US")} keys: what a node keeps anyway weighs too much`]
      : [];
  return { figures: [figure], faults: [], notes };
}
