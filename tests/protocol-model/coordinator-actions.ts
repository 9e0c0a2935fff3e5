/** Changes of the coordinator's document: who may start which, how they take effect, how their outcome is learnt (§2.4, §2.8, §2.9). */
import { type Action, forEachNode, forEachPair } from "./action.ts";
import {
  CANDIDATE,
  DEAD,
  EXPAND,
  FOLLOWER,
  HANDOVER,
  LANDED,
  LEADER,
  MEMBERS,
  NO_CHANGE,
  type NodeState,
  OPEN,
  PROMOTE,
  type Proposal,
  RESTART,
  SHRINK,
  storeRef,
  emptyProposal,
  bitOf,
} from "./cluster-state.ts";
import { advanceCommit, forget, stepDown, takeOffice } from "./leadership.ts";
import type { World } from "./world.ts";

export function coordinatorActions(nodes: number): Action[] {
  return [
    ...shrinkActions(nodes),
    ...forEachPair(nodes, "asks to expand the set with", startExpand),
    ...promoteActions(nodes),
    ...forEachNode(nodes, "asks to lead again after its restart", startRestart),
    ...forEachPair(nodes, "asks to hand over to", startHandover),
    ...forEachPair(nodes, "asks to leave the set and to hand over to", startRetirement),
    ...forEachNode(nodes, "'s request takes effect", land),
    { kind: "orphan lands", label: "the 1st request without a sender takes effect", run: (w) => landOrphan(w, 0) },
    { kind: "orphan lands", label: "the 2nd request without a sender takes effect", run: (w) => landOrphan(w, 1) },
    ...forEachNode(nodes, "learns that its request succeeded", learnSuccess),
    ...forEachNode(nodes, "is refused and reads the document", learnByReading),
    ...forEachNode(nodes, "reads the document", readDocument),
    ...forEachNode(nodes, "finds itself named by a handover", takeHandover),
    { kind: "touch", label: "the operator writes the members anew", run: touch },
  ];
}

/**
 * Reading the document and sending the compare-and-swap are one step here: if the revision moves in between, the request
 * is dead on arrival, which changes nothing.
 */
function start(node: NodeState, proposal: Proposal): boolean {
  Object.assign(node.change, proposal);
  node.change.fate = OPEN;
  return true;
}

function shrinkActions(nodes: number): Action[] {
  return Array.from({ length: nodes * nodes * 2 }, (_, at) => ({
    index: Math.floor(at / (nodes * 2)),
    ref: at % (nodes * 2),
  }))
    .filter(({ index, ref }) => ref >> 1 !== index)
    .map(({ index, ref }) => ({
      kind: "shrink",
      label: `n${index} asks to drop n${ref >> 1}.${ref & 1} from the set`,
      run: (world) => startShrink(world, index, bitOf(ref)),
    }));
}

function startShrink(world: World, index: number, bit: number): boolean {
  const leader = world.node(index);
  const { document } = world.state;
  if (!mayChangeSet(world, leader) || (document.isr & bit) === 0 || !world.spend("setChanges")) return false;
  if (world.has("M04")) {
    leader.confirmed &= ~bit;
    advanceCommit(world, index);
  }
  return start(leader, { ...document, kind: SHRINK, isr: document.isr & ~bit });
}

/** One change at a time, and only on top of the document that the leader knows. */
function mayChangeSet(world: World, leader: NodeState): boolean {
  const { document } = world.state;
  return (
    leader.role === LEADER &&
    leader.change.kind === NO_CHANGE &&
    document.epoch === leader.led &&
    document.isr === leader.confirmed
  );
}

function startExpand(world: World, index: number, other: number): boolean {
  const leader = world.node(index);
  const session = world.pair(index, other);
  if (!mayChangeSet(world, leader) || !session.hasSession) return false;
  const bit = bitOf(storeRef(other, session.sessionGeneration));
  if ((leader.confirmed & bit) !== 0) return false;
  if (!session.sessionComplete && !world.has("M99")) return false;
  const needed = world.has("M36") ? leader.commit : Math.max(leader.commit, leader.epochStart);
  if (session.sessionDurable < needed) return false;
  if (world.has("X02") && leader.commit < leader.epochStart) return false;
  if (!world.spend("setChanges")) return false;
  leader.proposed = bit;
  const kept = world.has("X07") ? leader.confirmed & ~(3 << (other * 2)) : leader.confirmed;
  return start(leader, { ...world.state.document, kind: EXPAND, isr: kept | bit });
}

/** A promotion keeps any part of the old set, and always the new leader (§2.9 step 4). */
function promoteActions(nodes: number): Action[] {
  const masks = Array.from({ length: 4 ** nodes }, (_, mask) => mask).filter(namesEachNodeOnce);
  return Array.from({ length: nodes }, (_, index) => index).flatMap((index) =>
    masks
      .filter((mask) => (mask & (3 << (index * 2))) !== 0)
      .map((mask) => ({
        kind: "promote",
        label: `n${index} asks to be promoted with ${setText(mask)}`,
        run: (world: World) => startPromotion(world, index, mask),
      })),
  );
}

function namesEachNodeOnce(mask: number): boolean {
  for (let rest = mask; rest > 0; rest >>= 2) if ((rest & 3) === 3) return false;
  return true;
}

export function setText(mask: number): string {
  const names: string[] = [];
  for (let ref = 0; 1 << ref <= mask; ref++) if ((mask & (1 << ref)) !== 0) names.push(`n${ref >> 1}.${ref & 1}`);
  return `{${names.join(" ")}}`;
}

function startPromotion(world: World, index: number, isr: number): boolean {
  const node = world.node(index);
  const { document } = world.state;
  const own = world.bit(index);
  if (!node.isUp || node.role !== FOLLOWER || (isr & own) === 0) return false;
  if ((isr & ~document.isr) !== 0 && !(world.has("M44") && isr === own)) return false;
  if (document.leader === world.ref(index) || document.epoch !== node.seen || document.epoch >= world.profile.epochs) {
    return false;
  }
  if (node.promise > 0) return false;
  if (!node.isComplete && !world.has("M40")) return false;
  node.role = CANDIDATE;
  node.connectedTo = 0;
  return start(node, { kind: PROMOTE, epoch: document.epoch + 1, leader: world.ref(index), isr });
}

/** The process that the document names as leader comes back and takes a new epoch (rule G1). */
function startRestart(world: World, index: number): boolean {
  const node = world.node(index);
  const { document } = world.state;
  if (!node.isUp || node.role !== FOLLOWER || document.leader !== world.ref(index)) return false;
  if (document.epoch >= world.profile.epochs) return false;
  // No grace is needed if it really led in that epoch: whoever led before has been waited for then (§2.9).
  const hasLed = node.log.slice(0, node.flushed).some((entry) => entry === document.epoch << 4);
  if (!hasLed && node.promise > 0 && !world.has("X01")) return false;
  node.role = CANDIDATE;
  node.connectedTo = 0;
  return start(node, { kind: RESTART, epoch: document.epoch + 1, leader: document.leader, isr: document.isr });
}

/** Everything is committed and new writes are queued; reads stop until the outcome is certain. */
function startHandover(world: World, index: number, other: number): boolean {
  return handOver(world, { index, other, stays: true });
}

/** Before its process stops: nobody need miss it in the set. */
function startRetirement(world: World, index: number, other: number): boolean {
  return handOver(world, { index, other, stays: false });
}

function handOver(
  world: World,
  { index, other, stays }: { readonly index: number; readonly other: number; readonly stays: boolean },
): boolean {
  const leader = world.node(index);
  const { document } = world.state;
  if (!world.hasLeft("handovers") || !mayChangeSet(world, leader)) return false;
  const isInSync = (leader.confirmed & world.bit(other)) !== 0;
  if (!isInSync || leader.commit < leader.log.length || document.epoch >= world.profile.epochs) return false;
  world.spend("handovers");
  const isr = stays ? document.isr : document.isr & ~world.bit(index);
  return start(leader, { ...document, kind: HANDOVER, epoch: document.epoch + 1, leader: world.ref(other), isr });
}

function land(world: World, index: number): boolean {
  const { change } = world.node(index);
  if (change.kind === NO_CHANGE || change.fate !== OPEN) return false;
  change.fate = LANDED;
  moveRevision(world);
  setDocument(world, change);
  return true;
}

function landOrphan(world: World, slot: number): boolean {
  const request = world.state.orphans[slot];
  if (request === undefined || request.kind === NO_CHANGE) return false;
  setDocument(world, request);
  moveRevision(world);
  return true;
}

function setDocument(world: World, { kind, epoch, leader, isr }: Proposal): void {
  Object.assign(world.state.document, { kind, epoch, leader, isr });
}

/** Every request still under way expects a revision that is gone now. That is why no revision is kept in the state. */
function moveRevision(world: World): void {
  for (const { change } of world.state.nodes) if (change.kind !== NO_CHANGE && change.fate === OPEN) change.fate = DEAD;
  for (const one of world.state.orphans) Object.assign(one, emptyProposal());
}

function touch(world: World): boolean {
  if (!world.spend("touches")) return false;
  world.state.document.kind = MEMBERS;
  moveRevision(world);
  return true;
}

function learnSuccess(world: World, index: number): boolean {
  const node = world.node(index);
  const { change } = node;
  if (change.kind === NO_CHANGE || change.fate !== LANDED) return false;
  if (node.role === CANDIDATE) takeOffice(world, index, change);
  else if (change.kind === HANDOVER) stepDown(world, index);
  else if (world.has("M05") && change.kind === EXPAND) settleSet(world, index, node.confirmed);
  else settleSet(world, index, change.isr);
  return true;
}

/** Memory second: only now may a dropped member be forgotten, or is an added one confirmed (rule I1). */
export function settleSet(world: World, index: number, confirmed: number): void {
  const leader = world.node(index);
  leader.confirmed = confirmed;
  leader.proposed = 0;
  forget(leader.change);
  advanceCommit(world, index);
}

/**
 * Rule C3: repeated until definitely refused, then the document is read. What it says decides, not whose token it bears:
 * an earlier attempt may have succeeded, and the operator may have written since.
 */
function learnByReading(world: World, index: number): boolean {
  const node = world.node(index);
  const { document } = world.state;
  const { change } = node;
  if (change.kind === NO_CHANGE || change.fate === OPEN) return false;
  const isNamed = document.leader === world.ref(index);
  if (node.role === CANDIDATE) {
    if (change.fate === LANDED && isNamed && document.epoch === change.epoch) takeOffice(world, index, document);
    else stepDown(world, index);
  } else if (isNamed && document.epoch === node.led) {
    const isOverwritten = change.fate === LANDED && document.kind === MEMBERS;
    settleSet(world, index, world.has("X05") && isOverwritten ? node.confirmed : document.isr);
  } else stepDown(world, index);
  return true;
}

/** Rule C4: any node at any time. It adopts the epoch; a leader of an older one steps down (§2.10). */
function readDocument(world: World, index: number): boolean {
  const node = world.node(index);
  const { document } = world.state;
  if (!node.isUp || node.role === CANDIDATE || document.epoch <= node.seen) return false;
  if (document.leader === world.ref(index) && node.role === FOLLOWER) return false;
  if (node.role === LEADER) stepDown(world, index);
  node.seen = document.epoch;
  node.connectedTo = 0;
  return true;
}

/** No promise to wait for: the leader to whom it was given has resigned (rule L7). */
function takeHandover(world: World, index: number): boolean {
  const node = world.node(index);
  const { document } = world.state;
  if (!node.isUp || node.role !== FOLLOWER || document.kind !== HANDOVER) return false;
  if (document.leader !== world.ref(index) || document.epoch <= node.seen) return false;
  takeOffice(world, index, document);
  return true;
}
