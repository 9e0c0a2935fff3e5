import { decodeLeadership } from "../replication/message-codec.ts";
import { isObject } from "../wire/json-value.ts";
import { ProtocolError } from "../wire/protocol-error.ts";
import type { KnownLeader } from "./local-member.ts";

/** What a STATE message says about who leads. */
export interface StateReport {
  /** The sender leads, by its own account. */
  readonly isLeader: boolean;
  /** The leadership that it has stored, if any. */
  readonly known: KnownLeader | null;
}

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

/** Reads of a STATE message's header (`State` of replication/) what concerns routing. Throws ProtocolError. */
export function readStateReport(header: unknown): StateReport {
  if (!isObject(header)) throw new ProtocolError("A STATE message has no header");
  const { role, leadership } = header;
  const isLeader = role === "leader";
  if (leadership === null) return { isLeader, known: null };
  const { epoch, term, leader } = decodeLeadership(leadership);
  return { isLeader, known: { epoch, term, leader: leader.node } };
}

function isEpoch(value: unknown): value is number {
  return typeof value === "number" && Number.isInteger(value) && value >= 0 && value <= 0xffff_ffff;
}
