import type { ShardChange, ShardDocument } from "../model/shard-document.ts";

const REASON_TO_LEAD: Partial<Record<ShardChange, string>> = {
  restart: "it is the shard's leader, and its process has started",
  promote: "the leader before it does not answer any more",
  handover: "the leader before it has handed over",
  unclean: "the operator accepted that writes may be lost",
};

/** Why a member begins to lead by a document that was changed for `cause`: for people, as a sentence without its end. */
export function reasonToLead(cause: ShardChange): string {
  return REASON_TO_LEAD[cause] ?? "the coordinator's document names it";
}

/** Who may lead in place of the leader that the document names: for people, as a sentence without its end. */
export function successorsOf({ leader, inSync }: ShardDocument): string {
  const others = inSync.flatMap(({ node }) => (node === leader.node ? [] : [node]));
  if (others.length > 0) return `${others.join(" or ")} takes over, which has to run for that`;
  return "nobody else was in sync with it: kv promote --accept-data-loss of another member gives up what only it had";
}
