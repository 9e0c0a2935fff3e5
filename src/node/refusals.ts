import { KvError } from "../model/errors.ts";
import type { Reply } from "../model/operation.ts";
import type { Shard } from "../model/topology.ts";
import { failure } from "./verdict.ts";

/** Refusals of the node itself: definitely not applied, since nothing was sent. */
export function overloaded(shard: Shard): Reply {
  return failure(new KvError("OVERLOADED", `Too many requests for shard ${shard.name} are under way at this node`));
}

export function noLeader(shard: Shard): KvError {
  return new KvError("NO_LEADER", `No leader of shard ${shard.name} is known`);
}

export function late(shard: Shard): Reply {
  return failure(new KvError("DEADLINE_EXCEEDED", `The request waited too long behind others for shard ${shard.name}`));
}

export function stopping(): KvError {
  return new KvError("STOPPING", "The node is shutting down");
}
