/** Beacons, promises, leases and reads (§2.9, §2.13). Time passes in ticks, for all at once: the inequality of §2.2 covers drift. */
import { type Action, forEachNode, forEachPair } from "./action.ts";
import { CANDIDATE, FOLLOWER, HANDOVER, LEADER, type NodeState, writeOf } from "./cluster-state.ts";
import { advanceCommit, endRead, requiredSet } from "./leadership.ts";
import { LEASE_TICKS, type World } from "./world.ts";

export function clockActions(nodes: number): Action[] {
  return [
    { kind: "tick", label: "time passes", run: tick },
    ...forEachPair(nodes, "sends a beacon to", sendBeacon),
    ...forEachPair(nodes, "promises and echoes the beacon of", receiveBeacon),
    ...forEachPair(nodes, "takes the echo as a lease from", receiveEcho),
    ...forEachNode(nodes, "captures what a read sees", beginRead),
    ...forEachNode(nodes, "answers the read", endOfRead),
  ];
}

function tick(world: World): boolean {
  const { nodes, pairs } = world.state;
  for (const node of nodes) node.promise = Math.max(0, node.promise - 1);
  for (const pair of pairs) {
    pair.lease = Math.max(0, pair.lease - 1);
    if (pair.beaconEpoch > 0) pair.beaconAge = Math.min(LEASE_TICKS, pair.beaconAge + 1);
    if (pair.echoEpoch > 0) pair.echoAge = Math.min(LEASE_TICKS, pair.echoAge + 1);
  }
  for (let index = 0; index < nodes.length; index++) advanceCommit(world, index);
  return true;
}

function sendBeacon(world: World, from: number, to: number): boolean {
  const leader = world.node(from);
  const pair = world.pair(from, to);
  if (leader.role !== LEADER || world.node(to).connectedTo !== from + 1) return false;
  pair.beaconEpoch = leader.led;
  pair.beaconAge = 0;
  return true;
}

/** The echo carries the beacon's age: a lease counts from its sending. A candidate is silent (rule L6). */
function receiveBeacon(world: World, index: number, leader: number): boolean {
  const node = world.node(index);
  const beacon = world.pair(leader, index);
  const isListening = node.role === FOLLOWER && node.connectedTo === leader + 1;
  const isForgetful = world.has("M18") && node.role === CANDIDATE;
  if (!node.isUp || beacon.beaconEpoch === 0 || beacon.beaconEpoch !== node.seen) return false;
  if (!isListening && !isForgetful) return false;
  if (isListening) node.promise = world.has("M15") ? world.grace - 1 : world.grace;
  const echo = world.pair(index, leader);
  echo.echoEpoch = beacon.beaconEpoch;
  echo.echoAge = beacon.beaconAge;
  beacon.beaconEpoch = 0;
  beacon.beaconAge = 0;
  return true;
}

function receiveEcho(world: World, index: number, other: number): boolean {
  const leader = world.node(index);
  const echo = world.pair(other, index);
  const session = world.pair(index, other);
  if (leader.role !== LEADER || echo.echoEpoch !== leader.led || !session.hasSession) return false;
  const left = world.has("M14") ? LEASE_TICKS : LEASE_TICKS - echo.echoAge;
  session.lease = Math.max(session.lease, left);
  echo.echoEpoch = 0;
  echo.echoAge = 0;
  if (areAllLeasesFresh(world, index)) world.state.leaseFlags |= world.has("M12") ? 1 << index : 0;
  return true;
}

/** Rule L1: every other member of the set must have echoed. None is needed by a lone leader (rule L9). */
function hasLease(world: World, index: number): boolean {
  const others = requiredSet(world, world.node(index)) & ~world.bit(index);
  if (others === 0) return true;
  return world.has("M12") ? (world.state.leaseFlags & (1 << index)) !== 0 : areAllLeasesFresh(world, index);
}

export function areAllLeasesFresh(world: World, index: number): boolean {
  const required = requiredSet(world, world.node(index)) & ~world.bit(index);
  let fresh = 0;
  let total = 0;
  for (let ref = 0; 1 << ref <= required; ref++) {
    if ((required & (1 << ref)) === 0) continue;
    total += 1;
    const session = world.pair(index, ref >> 1);
    if (session.lease > 0 && session.sessionGeneration === (ref & 1)) fresh += 1;
  }
  return fresh === total || (world.has("M17") && (fresh + 1) * 2 > total + 1);
}

/** Would this node answer a linearizable read now (rules R3, R4, L7)? */
export function isServing(world: World, index: number): boolean {
  const leader = world.node(index);
  if (leader.role !== LEADER || leader.change.kind === HANDOVER || leader.promise > 0) return false;
  return (isStarted(leader) || world.has("M49")) && hasLease(world, index);
}

function isStarted(leader: NodeState): boolean {
  return leader.commit >= leader.epochStart;
}

/** R1: the value is captured first. What is behind the commit of an older term is visible only after `epochStart`. */
function beginRead(world: World, index: number): boolean {
  const { state } = world;
  const leader = world.node(index);
  if (leader.role !== LEADER || state.readBy !== 0 || !world.hasLeft("reads")) return false;
  if (checksFirst(world) && !isServing(world, index)) return false;
  world.spend("reads");
  state.readBy = index + 1;
  state.readLength = world.has("M49") && !isStarted(leader) ? leader.commit : leader.log.length;
  state.readAcked = state.acked;
  return true;
}

/** Mutants M13 and X04: the lease is checked, then the value is taken; with M13 the request arrives only in between. */
function checksFirst(world: World): boolean {
  return world.has("M13") || world.has("X04");
}

/** R2 to R4: what was seen is committed, then the lease is checked, then it is answered. */
function endOfRead(world: World, index: number): boolean {
  const { state } = world;
  const leader = world.node(index);
  if (state.readBy !== index + 1) return false;
  if (!checksFirst(world) && !isServing(world, index)) return false;
  const length = checksFirst(world) ? leader.log.length : state.readLength;
  if (leader.commit < length && !world.has("M45")) return false;
  state.readLength = length;
  if (world.has("M13")) state.readAcked = state.acked;
  checkAnswer(world, leader);
  endRead(world);
  return true;
}

function checkAnswer(world: World, leader: NodeState): void {
  const { state } = world;
  let shown = 0;
  for (let at = 0; at < state.readLength; at++) {
    const entry = leader.log[at] ?? 0;
    shown |= 1 << writeOf(entry);
    if (state.committed[at] !== entry) world.fail("dirty read: the answer shows what is not committed");
  }
  if ((state.readAcked & ~shown) !== 0) {
    world.fail("stale read: the answer lacks what was acknowledged before it began");
  }
}
