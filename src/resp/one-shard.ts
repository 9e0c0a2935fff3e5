import type { Key } from "../model/key.ts";
import type { Gateway } from "../node/gateway.ts";
import { CommandError } from "./command-error.ts";

/** As a Redis cluster says it. */
export function crossShard(): CommandError {
  return new CommandError("CROSSSLOT Keys in request don't hash to the same slot");
}

/** Refuses keys of several shards: what must be atomic cannot be split. */
export function requireOneShard(keys: readonly Key[], gateway: Gateway): void {
  const [first] = keys;
  if (first === undefined) return;
  const { shard } = gateway.leaderOf(first);
  if (keys.some((key) => gateway.leaderOf(key).shard !== shard)) throw crossShard();
}
