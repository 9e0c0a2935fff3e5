import type { KnownLeader } from "./local-member.ts";

/** Puts a leadership into an error's details, where `readLeaderHint` finds it. */
export function leaderHint(known: KnownLeader): Readonly<Record<string, unknown>> {
  return { leader: known.leader, epoch: known.epoch, term: known.term };
}

/** The leadership that a refusal's details name; null when they name none. Epoch 0 stands for a bare name. */
export function readLeaderHint(details: Readonly<Record<string, unknown>>): KnownLeader | null {
  const { leader, epoch, term } = details;
  if (typeof leader !== "string") return null;
  return { epoch: isEpoch(epoch) ? epoch : 0, term: typeof term === "string" ? term : "", leader };
}

function isEpoch(value: unknown): value is number {
  return typeof value === "number" && Number.isInteger(value) && value >= 0 && value <= 0xffff_ffff;
}
