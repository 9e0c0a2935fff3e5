import type { MadeDocument } from "./make-documents.ts";

/** What was made, a line a shard, for people. */
export function describeMade(made: readonly MadeDocument[]): string[] {
  return made.map(({ shard, document }) => {
    const { leader, inSync, epoch, cause } = document;
    const others = inSync.flatMap(({ node }) => (node === leader.node ? [] : [node]));
    const set = others.length === 0 ? "no other copy in sync yet" : `in sync with ${others.join(", ")}`;
    const loss =
      cause === "unclean" ? "; what members held beyond it that do not answer, or have lost data, is given up" : "";
    if (cause === "members") return `Shard ${shard}: ${leader.node} leads on in epoch ${epoch}, ${set}`;
    return `Shard ${shard}: ${leader.node} leads from epoch ${epoch} on, ${set}${loss}`;
  });
}
