/** Steps that only a planted mistake makes possible. */
import { type Action, forEachNode } from "./action.ts";
import { areAllLeasesFresh } from "./clock-actions.ts";
import { CANDIDATE, EXPAND, FOLLOWER, HANDOVER, LANDED, LEADER, NO_CHANGE, OPEN, PROMOTE } from "./cluster-state.ts";
import { settleSet } from "./coordinator-actions.ts";
import { discard } from "./fault-actions.ts";
import { appendOwn, orphan, stepDown, takeOffice } from "./leadership.ts";
import type { World } from "./world.ts";

export function plantedActions(nodes: number): Action[] {
  return [
    ...forEachNode(nodes, "answers its waiting clients as failed", failWaiting),
    ...forEachNode(nodes, "finishes an old write", finishLateWrite),
    ...forEachNode(nodes, "takes an unknown outcome for a failure", giveUp),
    ...forEachNode(nodes, "takes its own success for a conflict", misreadSuccess),
    ...forEachNode(nodes, "finds itself named by a promotion it had given up", discoverPromotion),
    ...forEachNode(nodes, "finds itself named in an epoch it has not acted in", discoverTerm),
    ...forEachNode(nodes, "goes on leading in its old epoch after a restart", resumeOldEpoch),
    ...forEachNode(nodes, "discards its data for a resync", resync),
    ...forEachNode(nodes, "'s lease timer fires", fireTimer),
    ...forEachNode(nodes, "'s wall clock jumps ahead", jumpClock),
  ];
}

/** Mutant M07: the wait limit (rule K3) answers "failed". */
function failWaiting(world: World, index: number): boolean {
  const leader = world.node(index);
  if (!world.has("M07") || leader.role !== LEADER) return false;
  const before = world.state.failed;
  for (const entry of leader.log.slice(Math.max(leader.commit, leader.epochStart))) {
    world.state.failed |= 1 << (entry & 15);
  }
  return world.state.failed !== before;
}

/** Mutant M93: what the node was writing when it stepped down lands behind whatever it has fetched since. */
function finishLateWrite(world: World, index: number): boolean {
  const node = world.node(index);
  if (node.lateEntry === 0) return false;
  appendOwn(world, index, node.lateEntry);
  node.lateEntry = 0;
  return true;
}

/** Mutants M20 and M38: the document, read once more, does not show the change, so it is taken for failed. */
function giveUp(world: World, index: number): boolean {
  const node = world.node(index);
  const { kind, fate } = node.change;
  if (fate !== OPEN || !world.hasLeft("lateSwaps")) return false;
  if (world.has("M20") && kind === PROMOTE) stepDown(world, index);
  else if (world.has("M38") && kind === EXPAND) {
    orphan(world, node.change);
    settleSet(world, index, node.confirmed);
  } else if (world.has("X03") && kind === HANDOVER) orphan(world, node.change);
  else return false;
  return true;
}

/** Mutant M39: the client library repeats the request and reports the second, refused attempt. */
function misreadSuccess(world: World, index: number): boolean {
  const node = world.node(index);
  if (!world.has("M39") || node.change.kind === NO_CHANGE || node.change.fate !== LANDED) return false;
  if (node.role === CANDIDATE) stepDown(world, index);
  else settleSet(world, index, node.confirmed);
  return true;
}

/** Mutant M20: leads at once, though it has promised the old leader to wait. */
function discoverPromotion(world: World, index: number): boolean {
  const node = world.node(index);
  const { document } = world.state;
  if (!world.has("M20") || !node.isUp || node.role !== FOLLOWER || document.kind !== PROMOTE) return false;
  if (document.leader !== world.ref(index) || document.epoch <= node.seen) return false;
  node.promise = 0;
  takeOffice(world, index, document);
  return true;
}

/** Mutant X06: no new epoch is needed after a restart, if this store has never acted in the one that names it. */
function discoverTerm(world: World, index: number): boolean {
  const node = world.node(index);
  const { document } = world.state;
  if (!world.has("X06") || !node.isUp || node.role !== FOLLOWER || node.promise > 0) return false;
  if (document.leader !== world.ref(index) || document.epoch <= node.seen) return false;
  takeOffice(world, index, document);
  return true;
}

/** Mutant M27: what it appended before the crash and lost is numbered a second time. */
function resumeOldEpoch(world: World, index: number): boolean {
  const node = world.node(index);
  const { document } = world.state;
  if (!world.has("M27") || !node.isUp || node.role !== FOLLOWER || document.leader !== world.ref(index)) return false;
  if (node.seen !== document.epoch || node.log.length === 0) return false;
  node.role = LEADER;
  node.led = document.epoch;
  node.connectedTo = 0;
  node.confirmed = document.isr;
  node.epochStart = node.log.length;
  return true;
}

/** Mutants M40 and M43: a follower empties its store and keeps the store's name (rule I5). */
function resync(world: World, index: number): boolean {
  const node = world.node(index);
  const isPlanted = world.has("M40") || world.has("M43");
  if (!isPlanted || !node.isUp || node.role !== FOLLOWER || !world.spend("wipes")) return false;
  discard(world, index);
  node.isComplete = false;
  return true;
}

/** Mutant M12: only this takes the flag down, and a process that was stopped runs it late. */
function fireTimer(world: World, index: number): boolean {
  const isUp = (world.state.leaseFlags & (1 << index)) !== 0;
  if (!isUp || areAllLeasesFresh(world, index)) return false;
  world.state.leaseFlags &= ~(1 << index);
  return true;
}

/** Mutant M16: a promise kept by the wall clock ends when that is set ahead. */
function jumpClock(world: World, index: number): boolean {
  const node = world.node(index);
  if (!world.has("M16") || node.promise === 0) return false;
  node.promise = 0;
  return true;
}
