/** Crashes, restarts and lost disks (§2.1). Pauses and lost messages need no action: any node may do nothing for any time. */
import { type Action, forEachNode } from "./action.ts";
import { epochOf, FOLLOWER, LEADER } from "./cluster-state.ts";
import { answerWaiting, stepDown } from "./leadership.ts";
import type { World } from "./world.ts";

export function faultActions(nodes: number): Action[] {
  return [
    ...forEachNode(nodes, "loses power", crash),
    ...forEachNode(nodes, "starts again", restart),
    ...forEachNode(nodes, "resigns", resign),
    ...forEachNode(nodes, "gets an empty disk", wipe),
  ];
}

/** What was not flushed is gone, and with it all that a process knows. */
function crash(world: World, index: number): boolean {
  const node = world.node(index);
  if (!node.isUp || !world.spend("crashes")) return false;
  stepDown(world, index);
  node.isUp = false;
  node.log.length = node.flushed;
  node.lateEntry = 0;
  node.commit = 0;
  node.connectedTo = 0;
  node.promise = 0;
  node.role = FOLLOWER;
  if (world.has("M29")) node.seen = epochOf(node.log.at(-1) ?? 0);
  const { waiting } = world.state;
  for (let write = 0; write < waiting.length; write++) {
    if ((waiting[write] ?? 0) >> 4 === index + 1) waiting[write] = 0;
  }
  return true;
}

/** It does not know what it had promised (rule L5). */
function restart(world: World, index: number): boolean {
  const node = world.node(index);
  if (node.isUp) return false;
  node.isUp = true;
  node.promise = world.profile.clock && !world.has("M19") ? world.grace : 0;
  answerWaiting(world, index);
  return true;
}

/** A leader may step down without being told to, whatever it has under way (§2.10). */
function resign(world: World, index: number): boolean {
  if (world.node(index).role !== LEADER || !world.spend("resignations")) return false;
  stepDown(world, index);
  return true;
}

/** The new store has another name (rule D7); mutant M35 knows it by its host. */
function wipe(world: World, index: number): boolean {
  const node = world.node(index);
  if (node.isUp || node.generation > 0 || !world.spend("wipes")) return false;
  discard(world, index);
  node.seen = 0;
  if (world.has("M35")) return true;
  node.generation = 1;
  node.isComplete = false;
  return true;
}

export function discard(world: World, index: number): void {
  const node = world.node(index);
  node.log.length = 0;
  node.flushed = 0;
  node.commit = 0;
  node.connectedTo = 0;
}
