/** What a leader does with what it knows: commit, take office, leave it (§2.7, §2.10). */
import {
  type Change,
  emptyProposal,
  entryOf,
  epochOf,
  FOLLOWER,
  HANDOVER,
  LEADER,
  NO_CHANGE,
  type NodeState,
  OPEN,
  type PairState,
  type Proposal,
  RESTART,
  writeOf,
} from "./cluster-state.ts";
import type { World } from "./world.ts";

/** The set that commits and leases need: confirmed, and everything proposed that may still come true (rule I1). */
export function requiredSet(world: World, leader: NodeState): number {
  return world.has("M37") ? leader.confirmed : leader.confirmed | leader.proposed;
}

/** Raises the leader's commit to what every member of its set has flushed (§2.7), and acknowledges its own writes. */
export function advanceCommit(world: World, index: number): void {
  const leader = world.node(index);
  // Rule L7: nothing is committed before the leader's own promise to its predecessor has run out.
  if (leader.role !== LEADER || leader.promise > 0) return;
  if (sizeOf(leader.confirmed) < world.profile.minInSync) return;
  const length = world.has("M03") ? flushedByAny(world, index) : flushedByAll(world, index);
  if (length > leader.commit) commitUpTo(world, index, length);
}

function sizeOf(set: number): number {
  let size = 0;
  for (let rest = set; rest > 0; rest &= rest - 1) size += 1;
  return size;
}

function flushedByAll(world: World, index: number): number {
  const leader = world.node(index);
  const required = requiredSet(world, leader);
  let length = leader.log.length;
  for (let ref = 0; 1 << ref <= required; ref++) {
    if ((required & (1 << ref)) !== 0) length = Math.min(length, flushedBy(world, index, ref));
  }
  return length;
}

function flushedByAny(world: World, index: number): number {
  const own = flushedBy(world, index, world.ref(index));
  if (requiredSet(world, world.node(index)) === world.bit(index)) return own;
  let best = 0;
  for (let other = 0; other < world.count; other++) {
    if (other !== index) best = Math.max(best, Math.min(own, flushedBy(world, index, world.ref(other))));
  }
  return best;
}

/** What store `ref` has flushed, as far as leader `index` was told in this session. */
function flushedBy(world: World, index: number, ref: number): number {
  const node = ref >> 1;
  const generation = ref & 1;
  const leader = world.node(index);
  if (node === index) {
    if (generation !== leader.generation) return 0;
    return world.has("M01") ? leader.log.length : leader.flushed;
  }
  const session = world.pair(index, node);
  if (!session.hasSession || session.sessionGeneration !== generation) return 0;
  return session.sessionComplete || world.has("M99") ? session.sessionDurable : 0;
}

function commitUpTo(world: World, index: number, length: number): void {
  const leader = world.node(index);
  const { committed } = world.state;
  for (let at = 0; at < length; at++) {
    const entry = leader.log[at] ?? 0;
    if (at >= committed.length) committed.push(entry);
    else if (committed[at] !== entry) world.fail(`n${index} commits another entry ${at + 1} than was committed before`);
    // Only the term that took a write answers it (rule K2).
    if (at >= leader.commit && epochOf(entry) === leader.led) acknowledge(world, writeOf(entry));
  }
  leader.commit = length;
  answerWaiting(world, index);
}

export function acknowledge(world: World, write: number): void {
  if (write > 0) world.state.acked |= 1 << write;
}

/** Mutant M06: a client's wait is for a position, whoever leads. */
export function answerWaiting(world: World, index: number): void {
  if (!world.has("M06")) return;
  const { waiting } = world.state;
  for (let write = 1; write <= waiting.length; write++) {
    const wait = waiting[write - 1] ?? 0;
    if (wait >> 4 !== index + 1 || (wait & 15) > world.node(index).commit) continue;
    acknowledge(world, write);
    waiting[write - 1] = 0;
  }
}

/** Stores the epoch, then appends `epochStart` (§2.9 step 6, rule G5). The log and flush in flight have ended (§2.10). */
export function takeOffice(world: World, index: number, term: Proposal): void {
  const node = world.node(index);
  const { kind, epoch, isr } = term;
  endLeading(world, index);
  node.role = LEADER;
  node.seen = epoch;
  node.led = epoch;
  node.connectedTo = 0;
  node.confirmed = isr;
  // Rule L7 spares these two: whoever led before has resigned, or was waited for when this node came to lead.
  if (kind === HANDOVER || kind === RESTART) node.promise = 0;
  appendOwn(world, index, entryOf(epoch, 0));
  node.epochStart = node.log.length;
  advanceCommit(world, index);
}

export function appendOwn(world: World, index: number, entry: number): void {
  const node = world.node(index);
  node.log.push(entry);
  if (!world.profile.slowFlush) node.flushed = node.log.length;
}

/** Leaves the leader's or candidate's role in one step; what is pending is unknown from now on (rule K2, §2.10). */
export function stepDown(world: World, index: number): void {
  const node = world.node(index);
  if (world.has("M07")) reportPendingAsFailed(world, node);
  if (world.has("M93") && node.role === LEADER && node.flushed < node.log.length) node.lateEntry = node.log.pop() ?? 0;
  endLeading(world, index);
  node.role = FOLLOWER;
}

function reportPendingAsFailed(world: World, node: NodeState): void {
  for (const entry of node.log.slice(node.commit)) {
    if (epochOf(entry) === node.led && writeOf(entry) > 0) world.state.failed |= 1 << writeOf(entry);
  }
}

/** Forgets everything that belongs to a term: sessions, leases, the set, the change under way, the read under way. */
function endLeading(world: World, index: number): void {
  const node = world.node(index);
  orphan(world, node.change);
  node.led = 0;
  node.epochStart = 0;
  node.confirmed = 0;
  node.proposed = 0;
  world.state.leaseFlags &= ~(1 << index);
  if (world.state.readBy === index + 1) endRead(world);
  for (let other = 0; other < world.count; other++) {
    if (other === index) continue;
    endSession(world, index, other);
    if (world.node(other).connectedTo === index + 1) world.node(other).connectedTo = 0;
  }
}

/** Forgets what leader `index` knows of `other`, and what travels between them on that connection (§2.6 step 2). */
export function endSession(world: World, index: number, other: number): void {
  const ours = world.pair(index, other);
  ours.hasSession = false;
  ours.sessionGeneration = 0;
  ours.sessionComplete = false;
  ours.sessionDurable = 0;
  ours.lease = 0;
  ours.beaconEpoch = 0;
  ours.beaconAge = 0;
  const theirs = world.pair(other, index);
  if (!world.has("M34")) clearEntries(ours);
  theirs.echoEpoch = 0;
  theirs.echoAge = 0;
  if (world.has("M09")) return;
  theirs.ackEpoch = 0;
  theirs.ackDurable = 0;
  theirs.ackComplete = false;
}

export function clearEntries(pair: PairState): void {
  pair.entriesEpoch = 0;
  pair.entriesAt = 0;
  pair.entriesEntry = 0;
  pair.entriesCommit = 0;
}

export function endRead(world: World): void {
  world.state.readBy = 0;
  world.state.readLength = 0;
  world.state.readAcked = 0;
}

/** The sender is gone; its request may take effect later all the same (rule C3), as often as the profile allows. */
export function orphan(world: World, change: Change): void {
  const isOpen = change.kind !== NO_CHANGE && change.fate === OPEN;
  const slot = world.state.orphans.find((one) => one.kind === NO_CHANGE);
  if (isOpen && slot !== undefined && world.spend("lateSwaps")) {
    slot.kind = change.kind;
    slot.epoch = change.epoch;
    slot.leader = change.leader;
    slot.isr = change.isr;
  }
  forget(change);
}

export function forget(change: Change): void {
  Object.assign(change, emptyProposal());
  change.fate = OPEN;
}
