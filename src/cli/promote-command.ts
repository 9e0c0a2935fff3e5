import { createInterface } from "node:readline/promises";
import { styleText } from "node:util";
import type { Command } from "commander";
import { KvError } from "../model/errors.ts";
import type { PromotionReport } from "../model/status.ts";
import { CONFIG_FILE_DEFAULT, findCluster, parseNodeArgument } from "./cluster-access.ts";
import { ClusterClient, errorOf, jsonOf } from "./cluster-client.ts";
import { readClusterStatus, readPromotionReport } from "./cluster-report.ts";
import { print } from "./command-options.ts";
import { renderEntry } from "./entry-text.ts";
import { JsonMembers } from "./json-members.ts";
import { openLocalLog } from "./local-log.ts";
import { UsageError } from "./usage-error.ts";

interface PromoteOptions {
  readonly shard: string;
  /** The node to promote. */
  readonly node: string;
  readonly via?: string;
  readonly configFile: string;
  readonly dryRun?: true;
  readonly acceptDataLoss?: true;
  readonly from?: string;
  readonly yes?: true;
  readonly json?: true;
}

/** A promotion asks every member, has the old leader step down, fetches its log's end and has the new state stored. */
const TIMEOUT_MS = 60_000;
const ENTRIES_SHOWN_MAX = 100;

/** `kv promote`: manual failover. */
export function definePromote(program: Command): void {
  program
    .command("promote")
    .description(
      "make a node the leader of its shard; without --accept-data-loss only when nothing acknowledged can be lost",
    )
    .requiredOption("--shard <name>", "the shard")
    .requiredOption("--node <address>", "the member that shall lead")
    .option("--dry-run", "only say what stands against it, and how far behind the candidate is")
    .option("--accept-data-loss", "promote even a member that may lack acknowledged writes; asks first")
    .option("--from <directory>", "name the entries that this data directory has and the candidate lacks")
    .option("--yes", "do not ask: the old leader is stopped")
    .option("--via <address>", "ask through this node; default: the candidate itself")
    .option("--config-file <file>", "where the cluster's nodes are listed", CONFIG_FILE_DEFAULT)
    .option("--json", "print what the node answered")
    .action(async (options: PromoteOptions) =>
      promote({ ...options, node: parseNodeArgument("--node", options.node) }),
    );
}

async function promote(options: PromoteOptions): Promise<void> {
  const client = new ClusterClient(accessOf(options));
  try {
    if (options.from !== undefined) await nameLackedEntries(client, options, options.from);
    const mustAsk = options.acceptDataLoss === true && options.dryRun !== true && options.yes !== true;
    if (mustAsk) {
      const findings = await request(client, { ...options, dryRun: true });
      await print(`${renderReport(findings, { ...options, dryRun: true })}\n`);
      await confirm(options);
    }
    const report = await request(client, options);
    await print(`${options.json === true ? JSON.stringify(report) : renderReport(report, options)}\n`);
    if (report.refusal !== null) {
      const what = options.dryRun === true ? "would not be" : "was not";
      throw new KvError("PROMOTION_REFUSED", `${options.node} ${what} promoted: ${report.refusal}`);
    }
  } finally {
    client.close();
  }
}

/** The candidate first: it must run for this to work, and knows itself best. */
function accessOf(options: PromoteOptions): { nodes: readonly string[]; source: string } {
  if (options.via !== undefined) return { nodes: [parseNodeArgument("--via", options.via)], source: "--via" };
  const { nodes, source } = findCluster({ configFile: options.configFile });
  return { nodes: [options.node, ...nodes.filter((node) => node !== options.node)], source };
}

async function request(client: ClusterClient, options: PromoteOptions): Promise<PromotionReport> {
  const { shard, node, dryRun = false, acceptDataLoss = false } = options;
  const answer = await client.ask({
    method: "POST",
    path: "/v1/promote",
    headers: { "Content-Type": "application/json" },
    body: Buffer.from(JSON.stringify({ shard, node, dry_run: dryRun, accept_data_loss: acceptDataLoss })),
    timeoutMs: TIMEOUT_MS,
    isRepeatable: dryRun,
  });
  const answered = answer.status === 200 ? null : errorOf(answer);
  // A refusal carries what was found, as a dry run does.
  const found = answered?.code === "PROMOTION_REFUSED" ? answered.details["report"] : undefined;
  if (found !== undefined) return readPromotionReport(new JsonMembers("report", found));
  if (answered?.code !== "UNREACHABLE") return readPromotionReport(jsonOf(answer));
  throw new KvError("UNREACHABLE", `${node}, which shall lead, does not answer (${answered.message}): start it first`);
}

function renderReport(report: PromotionReport, { dryRun, acceptDataLoss }: PromoteOptions): string {
  const { shard, node, done, ledAlready, findings, refusal, epoch } = report;
  const lines = findings.map((finding) => `- ${finding}`);
  if (done) lines.push(styleText("green", `${node} leads ${shard} in epoch ${epoch}`));
  else if (refusal !== null) lines.push(styleText("red", `Against it: ${refusal}`));
  else if (dryRun === true) {
    const isCostly = acceptDataLoss === true && !ledAlready;
    const stands = `${isCostly ? "Nothing else" : "Nothing"} stands against promoting ${node} to lead ${shard}`;
    const verdict = ledAlready ? `${node} leads ${shard} already, in epoch ${epoch}` : stands;
    lines.push(styleText(isCostly ? "yellow" : "green", verdict));
  }
  return lines.join("\n");
}

async function confirm({ node, shard }: PromoteOptions): Promise<void> {
  const question = `Writes that only the old leader of ${shard} has are given up. Is it stopped, and shall ${node} lead? Type yes: `;
  if (!process.stdin.isTTY) {
    throw new UsageError("--accept-data-loss asks before it acts; without a terminal, confirm with --yes");
  }
  const terminal = createInterface({ input: process.stdin, output: process.stderr });
  try {
    const answer = await terminal.question(question);
    if (answer.trim() !== "yes") throw new KvError("PROMOTION_REFUSED", "nothing was changed");
  } finally {
    terminal.close();
  }
}

/** For an operator who has the dead leader's disk: what would be lost if it stayed away. */
async function nameLackedEntries(client: ClusterClient, options: PromoteOptions, directory: string): Promise<void> {
  const local = openLocalLog(directory);
  if (local.record.shard !== options.shard) {
    throw new UsageError(`--from ${directory} holds data of shard ${local.record.shard}, not of ${options.shard}`);
  }
  const status = readClusterStatus(await client.askJson({ method: "GET", path: "/v1/cluster", isRepeatable: true }));
  const members = status.shards.find(({ shard }) => shard === options.shard)?.members ?? [];
  const candidate = members.find(({ node }) => node === options.node);
  if (candidate?.reachable !== true) {
    throw new KvError("UNREACHABLE", `${options.node} does not answer, so it cannot be compared`);
  }
  const { lastSequence } = local.check;
  const lackedCount = Math.max(0, lastSequence - candidate.lastSequence);
  await print(
    `${directory} ends with entry ${lastSequence} of epoch ${local.check.lastEpoch}; ${options.node} with entry ` +
      `${candidate.lastSequence} of epoch ${candidate.epoch}, and lacks ${lackedCount} of those entries\n`,
  );
  for (const finding of local.check.findings) await print(`  ${finding.file}: ${finding.detail}\n`);
  let shown = 0;
  for (const entry of local.entriesBehind(candidate.lastSequence)) {
    if (shown === ENTRIES_SHOWN_MAX) {
      await print(`  … and ${lackedCount - shown} more\n`);
      break;
    }
    shown += 1;
    await print(`${renderEntry(entry)}\n`);
  }
}
