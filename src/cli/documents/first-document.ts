import { isSameStore, type Leadership } from "../../model/leadership.ts";
import type { NodeName } from "../../model/position.ts";
import type { ShardChange, ShardDocument } from "../../model/shard-document.ts";
import type { MemberAccount } from "../../model/status.ts";
import type { Shard } from "../../model/topology.ts";

/** What a shard's document is made of when there is none, or none that can be used. */
export interface FirstDocumentParts {
  readonly shard: Shard;
  /** Of the members that answered. */
  readonly accounts: readonly MemberAccount[];
  readonly minInSync: number;
  /** Copies that hold data are taken over; otherwise only a shard without any gets a document. */
  readonly adopts: boolean;
  /** Goes on without members that did not answer, whatever they hold. */
  readonly forces: boolean;
  /** What is there already, and older than what the members have seen; null when there is nothing. */
  readonly present: { readonly epoch: number; readonly version: number } | null;
  /** What the document says of itself when nothing is given up: "create" only where nobody led by a document before. */
  readonly cause: "create" | "restart";
  readonly term: string;
  readonly token: string;
}

/** Why a shard must not have a document yet: a sentence without its end, naming the shard. */
export interface DocumentRefusal {
  readonly refusal: string;
  /** Those that do not answer, where only they stand in the way; else none. */
  readonly silent: readonly NodeName[];
}

export type FirstDocument = ShardDocument | DocumentRefusal;

/**
 * The document with which a shard begins to be coordinated, or begins anew (rule C5, §2.14). Pure.
 *
 * The member with the highest (epoch, sequence) leads, and those whose logs end exactly there are in sync with it: every entry
 * that was ever acknowledged is in them, because whoever began the highest epoch had it, and the longest log of one epoch holds all
 * others of it. So everybody must have answered, with the data that he had when he was last known to be in sync, and nobody may still
 * lead. The epoch is higher than any that a member has seen.
 */
export function firstDocument(parts: FirstDocumentParts): FirstDocument {
  const { shard, accounts, forces } = parts;
  const silent = shard.members
    .map(({ node }) => node)
    .filter((node) => !accounts.some(({ store }) => store.node === node));
  const refusal = refusalOf(parts);
  if (refusal !== null) return { refusal, silent: [] };
  if (silent.length > 0 && !forces) return { refusal: silenceOf(shard, silent), silent };
  const emptied = emptiedMembers(accounts);
  if (emptied.length > 0 && !forces) return { refusal: lossOf(shard, emptied), silent: [] };
  const whole = accounts.filter(({ complete }) => complete).sort(byLogEnd);
  const [highest] = whole;
  if (highest === undefined) return { refusal: `No copy of shard ${shard.name} is whole`, silent: [] };
  const damaged = accounts.find((account) => !account.complete && byLogEnd(account, highest) < 0);
  if (damaged !== undefined && !forces) {
    const what = "has the longest log, but its copy is damaged or not finished";
    return { refusal: `${damaged.store.node} of shard ${shard.name} ${what}`, silent: [] };
  }
  const equals = whole.filter((account) => byLogEnd(account, highest) === 0);
  return documentOf(parts, equals, silent.length > 0 || emptied.length > 0 || damaged !== undefined);
}

/** Why members that do not answer stand in the way: a sentence without its end. */
export function silenceOf(shard: Shard, silent: readonly NodeName[]): string {
  const verb = silent.length === 1 ? "does" : "do";
  return `${silent.join(" and ")} of shard ${shard.name} ${verb} not answer, and may hold what the others lack`;
}

/**
 * Who answers with another store than he was last known to be in sync with (D7): that one may have led since, and may have
 * acknowledged what nobody else was told of.
 */
function emptiedMembers(accounts: readonly MemberAccount[]): NodeName[] {
  return (newestLeadership(accounts)?.inSync ?? []).flatMap((member) => {
    const account = accounts.find(({ store }) => store.node === member.node);
    return account === undefined || member.store === null || isSameStore(member, account.store) ? [] : member.node;
  });
}

function lossOf(shard: Shard, emptied: readonly NodeName[]): string {
  const verb = emptied.length === 1 ? "has" : "have";
  return `${emptied.join(" and ")} of shard ${shard.name} ${verb} lost data since it was last known who is in sync, and may have held what the others lack`;
}

function newestLeadership(accounts: readonly MemberAccount[]): Leadership | undefined {
  const leaderships = accounts.flatMap(({ leadership }) => leadership ?? []);
  return leaderships.sort((a, b) => b.epoch - a.epoch || b.setVersion - a.setVersion)[0];
}

function refusalOf({ shard, accounts, adopts }: FirstDocumentParts): string | null {
  const { name } = shard;
  const holder = accounts.find(({ lastSequence, complete }) => lastSequence > 0 || !complete);
  if (holder !== undefined && !adopts) return `${holder.store.node} holds data of shard ${name} already`;
  const leader = accounts.find(({ role }) => role === "leader");
  if (leader !== undefined) return `${leader.store.node} leads shard ${name} at this moment`;
  const conflict = accounts.find(({ inConflict }) => inConflict);
  if (conflict !== undefined) {
    return `${conflict.store.node} of shard ${name} has met another leader of its epoch: promote one in static mode first`;
  }
  for (const one of accounts) {
    const rival = accounts.find((other) => other.lastEpoch === one.lastEpoch && other.lastTerm !== one.lastTerm);
    if (rival === undefined || one.lastSequence === 0 || rival.lastSequence === 0) continue;
    return `${one.store.node} and ${rival.store.node} of shard ${name} have different leaderships of epoch ${one.lastEpoch}: which came first cannot be told`;
  }
  return null;
}

/** `equals` end where the longest log ends. Who led last goes on, or else the first of the file. */
function documentOf(parts: FirstDocumentParts, equals: readonly MemberAccount[], isLossy: boolean): ShardDocument {
  const { shard, accounts, present, minInSync, term, token } = parts;
  const leaderships = accounts.flatMap(({ leadership }) => leadership ?? []);
  const order = [newestLeadership(accounts)?.leader.node, ...shard.members.map(({ node }) => node)];
  const inSync = [...equals]
    .sort((a, b) => order.indexOf(a.store.node) - order.indexOf(b.store.node))
    .map(({ store }) => store);
  const [leader] = inSync;
  if (leader === undefined) throw new RangeError("A document needs a member");
  const epochs = accounts.flatMap((one) => [one.seenEpoch, one.lastEpoch, one.leadership?.epoch ?? 0]);
  const versions = leaderships.map(({ setVersion }) => setVersion);
  const lineage = Math.max(0, ...leaderships.map((one) => one.lineage));
  const cause: ShardChange = isLossy ? "unclean" : parts.cause;
  return {
    version: Math.max(present?.version ?? 0, ...versions, 0) + 1,
    epoch: Math.max(present?.epoch ?? 0, ...epochs) + 1,
    term,
    leader,
    inSync,
    members: shard.members.map(({ node }) => node),
    minInSync,
    lineage: isLossy ? lineage + 1 : lineage,
    token,
    cause,
  };
}

/** The longer log first: by epoch, then by sequence. */
function byLogEnd(a: MemberAccount, b: MemberAccount): number {
  return b.lastEpoch - a.lastEpoch || b.lastSequence - a.lastSequence;
}
