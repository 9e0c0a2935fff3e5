import { documentDifferences } from "../model/document-differences.ts";
import type { NodeName } from "../model/position.ts";
import type { DocumentView, MemberStatus } from "../model/status.ts";
import type { Shard } from "../model/topology.ts";
import type { CoordinatorSight } from "./coordinator-sight.ts";
import type { KnownLeader } from "./local-member.ts";

export interface ShardFacts {
  readonly shard: Shard;
  /** The highest leadership that any member knows. */
  readonly known: KnownLeader;
  /** Of those members that answered. */
  readonly statuses: readonly MemberStatus[];
  readonly sight: CoordinatorSight;
}

const PROSPECT_WITHOUT_COORDINATOR = "nobody takes over before the coordinator is of use again";
const PROSPECT_WITHOUT_DOCUMENT = "nobody takes over before the shard's document makes sense again";
/** By the commit rule: in sync, whatever was acknowledged is on the others too. How the shard replicated then, nobody remembers. */
const LEFT_BEHIND =
  "keeps writes that had not reached the others when it ceased to lead; clients had an ok for them only if they were written with async " +
  "replication (or durability=async), or given up by force";
const DISCARDED_ADVICE = "kv check --entries lists them while the node is stopped; without the file this line goes";

/** What an operator should know of a shard, as sentences; none when all is well. Pure. */
export function shardWarnings(facts: ShardFacts): string[] {
  const { shard, known, statuses, sight } = facts;
  if (known.leader === null) {
    const silence = `No member of shard ${shard.name} that answers knows a leader`;
    return [silence, ...warningsOfFault(statuses), ...warningsOfMembers(facts)];
  }
  const warnings =
    sight.kind === "static" ? warningsOfFile(facts, known.leader) : warningsOfDocument(facts, known.leader);
  return [...warnings, ...warningsOfFault(statuses), ...warningsOfMembers(facts)];
}

/** In static mode the operator decides who leads, and has to be told when somebody else should. */
function warningsOfFile({ shard, known, statuses }: ShardFacts, leader: NodeName): string[] {
  const warnings: string[] = [];
  const named = shard.members[0]?.node ?? null;
  if (leader !== named) {
    const stored = `the members have stored ${leader} (epoch ${known.epoch})`;
    warnings.push(`The configuration file names ${named} as leader; ${stored}`);
  }
  const trouble = troubleOfLeader(leader, statuses);
  if (trouble === "silent") {
    warnings.push(`The leader ${leader} does not answer; start it again, or promote another member (kv promote)`);
  } else if (trouble === "roleless") warnings.push(`The leader ${leader} does not lead at the moment`);
  return warnings;
}

/** With a coordinator members take over by themselves; who leads is no difference, who belongs to the shard is (rule C5). */
function warningsOfDocument(facts: ShardFacts, leader: NodeName): string[] {
  const { shard, statuses, sight } = facts;
  const warnings: string[] = [];
  const document = newestDocument(statuses);
  const trouble = troubleOfLeader(leader, statuses);
  if (trouble !== null) {
    const what = trouble === "silent" ? "does not answer" : "does not lead at the moment";
    warnings.push(`The leader ${leader} ${what}; ${prospectOf({ leader, trouble }, facts, document)}`);
  }
  if (document !== null && document.inSync.length < document.minInSync) {
    const wanted = `min_in_sync is ${document.minInSync}`;
    warnings.push(`Writes are refused: ${wanted}, in sync are only ${document.inSync.join(", ")}`);
  }
  if (document !== null) warnings.push(...documentDifferences(shard, sight.fileMinInSync, document));
  return warnings;
}

/** What comes of a leader that is missing, by whoever else may lead. */
function prospectOf(
  { leader, trouble }: { readonly leader: NodeName; readonly trouble: "silent" | "roleless" },
  { sight, statuses, shard }: ShardFacts,
  document: DocumentView | null,
): string {
  if (sight.trouble !== null) return PROSPECT_WITHOUT_COORDINATOR;
  if (documentFaultOf(statuses) !== null) return PROSPECT_WITHOUT_DOCUMENT;
  const others = (document?.inSync ?? []).filter((node) => node !== leader);
  const [next] = others.filter((node) => statuses.some((status) => status.node === node));
  if (next !== undefined) return `${next} takes over by itself within seconds`;
  const start = trouble === "silent" ? "start it again, or " : "";
  if (others.length > 0) return `${start === "" ? "start " : start}${others.join(" or ")}, which is in sync with it`;
  const [fullest] = statuses.filter(({ node }) => node !== leader).sort((a, b) => b.lastSequence - a.lastSequence);
  const force = `kv promote --shard ${shard.name} --node ${fullest?.node ?? "MEMBER"} --accept-data-loss`;
  return `nobody else is in sync with it: ${start}give up what only it has (${force})`;
}

function troubleOfLeader(leader: NodeName, statuses: readonly MemberStatus[]): "silent" | "roleless" | null {
  const status = statuses.find(({ node }) => node === leader);
  if (status === undefined) return "silent";
  return status.role === "leader" ? null : "roleless";
}

/** Whoever leads goes on, so that nothing else would show it (rule C5). */
function warningsOfFault(statuses: readonly MemberStatus[]): string[] {
  const fault = documentFaultOf(statuses);
  if (fault === null) return [];
  const cure = "kv coordinator rebuild writes down again what its members go by";
  return [
    `The shard's document at the coordinator makes no sense (${fault}): nobody takes over from a leader; ${cure}`,
  ];
}

function documentFaultOf(statuses: readonly MemberStatus[]): string | null {
  return statuses.find(({ documentFault }) => documentFault !== null)?.documentFault ?? null;
}

function newestDocument(statuses: readonly MemberStatus[]): DocumentView | null {
  const documents = statuses.flatMap(({ document }) => document ?? []);
  return documents.sort((a, b) => b.epoch - a.epoch || b.version - a.version)[0] ?? null;
}

function warningsOfMembers({ statuses }: ShardFacts): string[] {
  const warnings: string[] = [];
  const leaders = statuses.filter((status) => status.role === "leader").map((status) => status.node);
  if (leaders.length > 1) warnings.push(`Several members lead at once: ${leaders.join(", ")}`);
  for (const status of statuses) {
    if (status.role === "none") warnings.push(`${status.node} has no role: ${status.state}`);
    if (status.readOnlyReason !== null) warnings.push(`${status.node} is read-only: ${status.readOnlyReason}`);
    if (status.discardedEntriesFile !== null) {
      warnings.push(`${status.node} ${LEFT_BEHIND}: ${status.discardedEntriesFile} (${DISCARDED_ADVICE})`);
    }
  }
  return warnings;
}
