/** Writes, flushes and the pull protocol (§2.6, §2.7, §2.11). */
import { type Action, forEachNode, forEachPair } from "./action.ts";
import { entryOf, FOLLOWER, HANDOVER, LEADER, type NodeState } from "./cluster-state.ts";
import { acknowledge, advanceCommit, answerWaiting, appendOwn, clearEntries, endSession } from "./leadership.ts";
import { agreedLength, divergedAnswer } from "./log-agreement.ts";
import type { World } from "./world.ts";

export function replicationActions(nodes: number): Action[] {
  return [
    ...forEachNode(nodes, "appends a client's write", write),
    ...forEachNode(nodes, "flushes", flush),
    ...forEachPair(nodes, "says HELLO to", connect),
    ...forEachPair(nodes, "asks for entries of", pull),
    ...forEachPair(nodes, "takes the entries of", receiveEntries),
    ...forEachPair(nodes, "states what it has flushed to", sendAck),
    ...forEachPair(nodes, "hears what is flushed on", receiveAck),
    ...forEachNode(nodes, "completes its copy", completeCopy),
  ];
}

function write(world: World, index: number): boolean {
  const leader = world.node(index);
  if (leader.role !== LEADER || leader.change.kind === HANDOVER || !world.spend("writes")) return false;
  world.state.writesBegun += 1;
  const id = world.state.writesBegun;
  appendOwn(world, index, entryOf(leader.led, id));
  if (world.has("M06")) world.state.waiting[id - 1] = ((index + 1) << 4) | leader.log.length;
  afterFlush(world, index);
  return true;
}

function flush(world: World, index: number): boolean {
  const node = world.node(index);
  const isUseful = node.flushed < node.log.length || (world.has("M01") && node.commit < node.log.length);
  if (!node.isUp || !isUseful) return false;
  node.flushed = node.log.length;
  afterFlush(world, index);
  return true;
}

function afterFlush(world: World, index: number): void {
  const node = world.node(index);
  if (node.role === LEADER && world.has("M08")) {
    for (const entry of node.log.slice(node.epochStart, node.flushed)) acknowledge(world, entry & 15);
  }
  advanceCommit(world, index);
}

/** May this follower listen to this leader (rule P1)? */
function follows(world: World, follower: NodeState, leader: NodeState): boolean {
  if (!follower.isUp || follower.role !== FOLLOWER || leader.role !== LEADER) return false;
  return leader.led >= follower.seen || world.has("M28");
}

/** HELLO, the position check, and the cuts until it matches. `seen` is stored first (rule P1). */
function connect(world: World, from: number, to: number): boolean {
  const follower = world.node(from);
  const leader = world.node(to);
  if (!follows(world, follower, leader) || follower.connectedTo === to + 1) return false;
  const entries =
    world.has("M25") && leader.led > follower.seen ? follower.log.slice(0, follower.commit) : follower.log;
  const agreed = agreement(world, entries, leader.log);
  if (agreed < 0) return false;
  follower.seen = Math.max(follower.seen, leader.led);
  follower.connectedTo = to + 1;
  endSession(world, to, from);
  const session = world.pair(to, from);
  session.hasSession = true;
  session.sessionGeneration = follower.generation;
  session.sessionComplete = follower.isComplete;
  if (world.has("M10")) session.sessionDurable = Math.min(follower.flushed, leader.log.length);
  if (agreed < follower.commit) world.fail(`n${from} cuts its log below what it knows to be committed (rule P2)`);
  cut(follower, agreed);
  if (world.has("M10")) advanceCommit(world, to);
  return true;
}

function agreement(world: World, follower: readonly number[], leader: readonly number[]): number {
  const length = follower.length;
  if (world.has("M26") && length <= leader.length) return length;
  const agreed = agreedLength(follower, leader);
  if (!world.has("M30") || agreed === length || length === 0) return agreed;
  return Math.min(divergedAnswer(follower, leader).end, length);
}

function cut(node: NodeState, length: number): void {
  if (length < node.log.length) node.log.length = length;
  node.flushed = Math.min(node.flushed, length);
  node.commit = Math.min(node.commit, length);
}

/** PULL and its answer: one entry at a time, so that every shorter prefix is seen too. */
function pull(world: World, from: number, to: number): boolean {
  const follower = world.node(from);
  const leader = world.node(to);
  if (!follows(world, follower, leader) || follower.connectedTo !== to + 1) return false;
  const next = leader.log[follower.log.length] ?? 0;
  const commit = Math.min(leader.commit, follower.log.length + (next === 0 ? 0 : 1));
  if (next === 0 && commit <= follower.commit) return false;
  const answer = world.pair(to, from);
  answer.entriesEpoch = leader.led;
  answer.entriesAt = follower.log.length + 1;
  answer.entriesEntry = next;
  answer.entriesCommit = commit;
  return world.profile.slowEntries || receiveEntries(world, from, to);
}

/** Applied only in the session that asked, and only at the end of the log (§2.6, replica's steps 1 and 3). */
function receiveEntries(world: World, from: number, to: number): boolean {
  const follower = world.node(from);
  const answer = world.pair(to, from);
  const { entriesEpoch, entriesAt, entriesEntry, entriesCommit } = answer;
  if (entriesEpoch === 0 || !follower.isUp || follower.role !== FOLLOWER) return false;
  const isOfSession = follower.connectedTo === to + 1 && follower.seen === entriesEpoch;
  if (!(isOfSession || world.has("M34")) || entriesAt !== follower.log.length + 1) return false;
  clearEntries(answer);
  if (entriesEntry > 0) appendOwn(world, from, entriesEntry);
  follower.commit = Math.max(follower.commit, Math.min(entriesCommit, follower.log.length));
  answerWaiting(world, from);
  return true;
}

/** The statement in PULL or HBACK: what is flushed (rule S2), in the follower's epoch. */
function sendAck(world: World, from: number, to: number): boolean {
  const follower = world.node(from);
  if (!follows(world, follower, world.node(to)) || follower.connectedTo !== to + 1) return false;
  const durable = world.has("M02") ? follower.log.length : follower.flushed;
  const session = world.pair(to, from);
  if (durable <= session.sessionDurable && follower.isComplete === session.sessionComplete) return false;
  const slot = world.pair(from, to);
  slot.ackEpoch = follower.seen;
  slot.ackDurable = durable;
  slot.ackComplete = follower.isComplete;
  return world.profile.slowAcks || receiveAck(world, to, from);
}

/** Counts only in the session and epoch in which it was sent (§2.6 steps 2 and 4); a new HELLO has emptied the slot. */
function receiveAck(world: World, index: number, other: number): boolean {
  const slot = world.pair(other, index);
  const leader = world.node(index);
  const session = world.pair(index, other);
  if (slot.ackEpoch === 0 || slot.ackEpoch !== leader.led || !session.hasSession) return false;
  session.sessionDurable = Math.max(session.sessionDurable, slot.ackDurable);
  session.sessionComplete = slot.ackComplete;
  slot.ackEpoch = 0;
  slot.ackDurable = 0;
  slot.ackComplete = false;
  advanceCommit(world, index);
  return true;
}

/** An incomplete copy holds rows of any moment; replaying up to the last of them makes it a prefix like any other (§2.12). */
function completeCopy(world: World, index: number): boolean {
  const node = world.node(index);
  if (!node.isUp || node.isComplete || node.connectedTo === 0 || node.log.length === 0) return false;
  node.isComplete = true;
  return true;
}
