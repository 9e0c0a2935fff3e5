import { SeededRandom } from "../../base/random.ts";
import { KvError } from "../../model/errors.ts";
import type { HostPort } from "../../server/node-address.ts";
import { AcknowledgementChart } from "./acknowledgement-chart.ts";
import { askCluster, type ClusterShard } from "./cluster-shards.ts";
import { memberTargetsOf } from "./connection-set.ts";
import { FailoverNarrator, leaderLines } from "./failover-narrator.ts";
import { CLOSED_LOOP, openLoop } from "./load-pace.ts";
import type { LoadPlan } from "./load-plan.ts";
import { LoadProgress } from "./load-progress.ts";
import { loadReportOf } from "./load-report.ts";
import type { LoadOutcome } from "./load-run.ts";
import { type LoadScene, preload, recordsOf, runPhase } from "./load-scene.ts";
import { loadSummary } from "./load-summary.ts";
import { type Outage, OutageWatch } from "./outage-watch.ts";
import { ReadBackSource } from "./read-back-source.ts";
import { TracedSource } from "./traced-source.ts";
import { WriteTrace } from "./write-trace.ts";

/** What a load through a failover found, besides the figures of every load. */
interface FailoverReport {
  readonly acknowledgedWrites: number;
  /** Writes without an answer that says whether they took effect. */
  readonly unknownWrites: number;
  /** Keys whose last acknowledged write was gone at the end. */
  readonly lostWrites: number;
  readonly firstLost: string | null;
  readonly staleReads: number;
  /** Keys that could not be read at the end. */
  readonly unreadKeys: number;
  readonly outages: readonly Outage[];
  readonly longestOutageSeconds: number;
}

/** A load that people watch: what it is told with as it runs. */
interface WatchedLoad {
  readonly outcome: LoadOutcome;
  readonly outages: readonly Outage[];
  readonly charts: ReadonlyMap<string, AcknowledgementChart>;
}

/** Failures of a read that break a promise; refusals during a failover do not. */
const BROKEN_PROMISES = ["STALE_READ", "IMPOSSIBLE", "MISSING", "WRONG_VALUE"] as const;
const READ_BACK_SECONDS_MAX = 60;
/** A chart fits a terminal. */
const CHART_COLUMNS_MAX = 60;
const CHART_COLUMN_MS_MIN = 250;
const EXPECTED_FAILURES = "{} operations were refused, or lost their answer, meanwhile:";

/**
 * Loads a cluster while someone stops its leaders, then reads everything back. Prints the figures of the load, the outages of
 * each shard, lost acknowledged writes and stale reads. Returns the exit code: 1 when a promise was broken or a key
 * cannot be read at the end; operations that were refused or lost their answer during the failover are no failure.
 */
export async function runThroughFailover(plan: LoadPlan): Promise<number> {
  const records = recordsOf(plan);
  const shards = await askCluster(plan.nodes);
  const say = (line: string): void => {
    if (!plan.asJson) console.log(line);
  };
  const scene = { plan, records, targets: memberTargetsOf(plan, records, shards), say };
  // Before the keys are loaded, so that the commands are at hand when the time for one of them comes.
  say("These lead; kill one of them when the load has begun, from another terminal:");
  for (const line of leaderLines(shards)) say(line);
  await preload(scene);
  const connectionCount = plan.connectionCount * shards.length;
  const trace = new WriteTrace(plan.keyCount);
  say(
    `Load for ${plan.seconds} s over ${connectionCount} connections. Every write is numbered, every value read is checked.`,
  );
  say("Now kill a leader");
  const { outcome, outages, charts } = await loadTraced(scene, shards, trace);
  say(`Reading ${plan.keyCount.toLocaleString("en-US")} keys back`);
  const lost = await readBack(scene, trace);
  const report = loadReportOf(plan, outcome, connectionCount);
  const failover: FailoverReport = {
    acknowledgedWrites: trace.acknowledgedCount,
    unknownWrites: trace.openCount,
    lostWrites: lost.lostCount,
    firstLost: lost.firstLost,
    staleReads: BROKEN_PROMISES.reduce((sum, code) => sum + (report.failures[code]?.count ?? 0), 0),
    unreadKeys: lost.unreadCount,
    outages,
    longestOutageSeconds: Math.max(0, ...outages.map(({ seconds }) => seconds)),
  };
  if (plan.asJson) console.log(JSON.stringify({ ...report, failover }));
  else {
    const lines = [
      ...loadSummary(report, EXPECTED_FAILURES),
      "",
      ...chartLines(charts),
      "",
      ...failoverLines(failover),
    ];
    for (const line of lines) say(line);
  }
  return failover.staleReads + failover.lostWrites + failover.unreadKeys > 0 ? 1 : 0;
}

async function loadTraced(scene: LoadScene, shards: readonly ClusterShard[], trace: WriteTrace): Promise<WatchedLoad> {
  const { plan, records, targets } = scene;
  const beganMs = performance.now();
  const durationMs = (plan.seconds ?? 0) * 1000;
  const watches = shards.map(({ name }) => new OutageWatch(name, beganMs));
  const columnMs = Math.max(CHART_COLUMN_MS_MIN, durationMs / CHART_COLUMNS_MAX);
  const columns = Math.ceil(durationMs / columnMs);
  const charts = shards.map(() => new AcknowledgementChart({ beganMs, columnMs, columns }));
  const source = new TracedSource({
    records,
    trace,
    random: new SeededRandom(plan.seed),
    readFraction: plan.readFraction,
    onAcknowledged: (index) => {
      const group = targets.groupOf(index);
      const nowMs = performance.now();
      watches[group]?.acknowledged(nowMs);
      charts[group]?.acknowledged(nowMs);
    },
  });
  const progress = new LoadProgress("load", durationMs, (run) => run.measuredMs);
  const say = (line: string): void => {
    if (!plan.asJson) progress.say(line);
  };
  const narrator = new FailoverNarrator({ nodes: membersOf(shards), shards, watches, say });
  const outcome = await runPhase(scene, {
    source,
    progress,
    depth: plan.pipeline,
    pace: plan.rate === null ? CLOSED_LOOP : openLoop(plan.rate),
    durationMs,
    restsAfterFailure: true,
  });
  await narrator.stop();
  return {
    outcome,
    outages: watches.flatMap((watch) => watch.outagesUntil(beganMs + durationMs)),
    charts: new Map(shards.flatMap(({ name }, index) => (charts[index] === undefined ? [] : [[name, charts[index]]]))),
  };
}

function membersOf(shards: readonly ClusterShard[]): readonly HostPort[] {
  return shards.flatMap(({ members }) => members);
}

function chartLines(charts: WatchedLoad["charts"]): string[] {
  const widthMax = Math.max(...[...charts.keys()].map((name) => name.length));
  const lines = [...charts].map(([name, chart]) => `  ${name.padEnd(widthMax)}  ${chart.render()}`);
  return ["Acknowledged writes over the time of the load (· none):", ...lines];
}

async function readBack(scene: LoadScene, trace: WriteTrace): Promise<ReadBackSource> {
  const { plan, records } = scene;
  const source = new ReadBackSource(records, trace);
  try {
    await runPhase(scene, {
      source,
      progress: new LoadProgress("read back", plan.keyCount, () => plan.keyCount - source.unreadCount),
      depth: plan.pipeline,
      durationMs: READ_BACK_SECONDS_MAX * 1000,
      restsAfterFailure: true,
    });
  } catch (error) {
    // What the load found is worth showing even when nobody is left to ask: all keys then count as unread.
    if (!(error instanceof KvError) || error.code !== "UNREACHABLE") throw error;
  }
  return source;
}

function failoverLines(report: FailoverReport): string[] {
  const { acknowledgedWrites, unknownWrites, lostWrites, firstLost, staleReads, unreadKeys, outages } = report;
  const mark = (count: number): string => (count === 0 ? "✔" : "✘");
  const lines = outages.map(
    ({ shard, fromSeconds, seconds }) =>
      `Outage of ${shard}: no write acknowledged for ${seconds.toFixed(2)} s, from ${fromSeconds.toFixed(2)} s on`,
  );
  if (lines.length === 0) lines.push("No outage: every shard acknowledged writes all the time");
  lines.push(
    `${amount(acknowledgedWrites)} writes acknowledged, ${amount(unknownWrites)} without an answer that says whether they took effect`,
    `${mark(lostWrites)} ${amount(lostWrites)} keys lost their last acknowledged write${firstLost === null ? "" : `, the first: ${firstLost}`}`,
    `${mark(staleReads)} ${amount(staleReads)} stale or wrong reads`,
  );
  if (unreadKeys > 0) lines.push(`✘ ${amount(unreadKeys)} keys could not be read at the end`);
  return lines;
}

function amount(count: number): string {
  return count.toLocaleString("en-US");
}
