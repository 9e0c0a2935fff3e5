/** A trace as people read it: after each step, what it changed, node by node. */
import type { Action } from "./action.ts";
import {
  CANDIDATE,
  epochOf,
  LEADER,
  NO_CHANGE,
  type NodeState,
  type PairState,
  type Proposal,
  writeOf,
} from "./cluster-state.ts";
import { setText } from "./coordinator-actions.ts";
import type { MutantId } from "./mutants.ts";
import type { Profile } from "./profiles.ts";
import { World } from "./world.ts";

const KIND_NAMES = ["none", "shrink", "expand", "promote", "restart", "handover", "members"];
const FATE_NAMES = ["may land", "landed", "dead"];

/** Runs the steps again from the first state; one line a step, one indented line for each thing that it changed. */
export function describeTrace(profile: Profile, trace: readonly Action[], mutant: MutantId | undefined): string {
  const world = new World(profile, mutant);
  let before = describeWorld(world);
  const lines = ["   0. at first", ...before.map((line) => `        ${line}`)];
  for (const [index, action] of trace.entries()) {
    action.run(world);
    const after = describeWorld(world);
    lines.push(`${String(index + 1).padStart(4)}. ${action.label}`);
    for (const line of after) if (!before.includes(line)) lines.push(`        ${line}`);
    before = after;
  }
  return lines.join("\n");
}

function describeWorld(world: World): string[] {
  const { state } = world;
  const lines = state.nodes.map((node, index) => describeNode(world, node, index));
  for (let from = 0; from < world.count; from++) {
    for (let to = 0; to < world.count; to++) {
      if (from !== to) lines.push(...describePair(world.pair(from, to), `n${from}`, `n${to}`));
    }
  }
  lines.push(`coordinator: ${describeProposal(state.document)}`);
  for (const one of state.orphans) if (one.kind !== NO_CHANGE) lines.push(`may still land: ${describeProposal(one)}`);
  lines.push(`committed ${logText(state.committed)}, acknowledged ${writesText(state.acked)}`);
  if (state.failed > 0) lines.push(`answered as failed: ${writesText(state.failed)}`);
  if (state.readBy > 0) {
    lines.push(`n${state.readBy - 1} reads ${state.readLength} entries, ${writesText(state.readAcked)} expected`);
  }
  return lines;
}

function describeNode(world: World, node: NodeState, index: number): string {
  const role = node.role === LEADER ? `leads e${node.led}` : node.role === CANDIDATE ? "candidate" : "follower";
  const parts = [
    `n${index}.${node.generation} ${node.isUp ? role : "down"}, seen e${node.seen}`,
    `log ${logText(node.log)} flushed ${node.flushed} commit ${node.commit}`,
  ];
  if (!node.isComplete) parts.push("incomplete");
  if (world.profile.clock && node.promise > 0) parts.push(`promise ${node.promise}`);
  if (node.connectedTo > 0) parts.push(`pulls from n${node.connectedTo - 1}`);
  if (node.role === LEADER) parts.push(`needs ${setText(node.confirmed | node.proposed)}`);
  if (node.change.kind !== NO_CHANGE) {
    parts.push(`asks: ${describeProposal(node.change)} (${FATE_NAMES[node.change.fate] ?? ""})`);
  }
  return parts.join(", ");
}

function describePair(pair: PairState, from: string, to: string): string[] {
  const lines: string[] = [];
  if (pair.hasSession) {
    const lease = pair.lease > 0 ? `, lease ${pair.lease}` : "";
    const copy = pair.sessionComplete ? "" : ", incomplete";
    lines.push(`${from} knows ${to}.${pair.sessionGeneration} has flushed ${pair.sessionDurable}${copy}${lease}`);
  }
  if (pair.ackEpoch > 0) lines.push(`${from} → ${to}: flushed ${pair.ackDurable} in e${pair.ackEpoch}`);
  if (pair.beaconEpoch > 0) lines.push(`${from} → ${to}: beacon of e${pair.beaconEpoch}, ${pair.beaconAge} ticks old`);
  if (pair.echoEpoch > 0) lines.push(`${from} → ${to}: echo in e${pair.echoEpoch}, beacon ${pair.echoAge} ticks old`);
  if (pair.entriesEpoch > 0) {
    const entry = pair.entriesEntry === 0 ? "nothing" : logText([pair.entriesEntry]);
    lines.push(
      `${from} → ${to}: ${entry} for place ${pair.entriesAt} in e${pair.entriesEpoch}, commit ${pair.entriesCommit}`,
    );
  }
  return lines;
}

function describeProposal({ kind, epoch, leader, isr }: Proposal): string {
  return `${KIND_NAMES[kind] ?? ""} e${epoch} leader n${leader >> 1}.${leader & 1} isr ${setText(isr)}`;
}

/** `1:start 1:w1 2:start`: the epoch and what was written in it. */
function logText(log: readonly number[]): string {
  return `[${log.map((entry) => `${epochOf(entry)}:${writeOf(entry) === 0 ? "start" : `w${writeOf(entry)}`}`).join(" ")}]`;
}

function writesText(mask: number): string {
  const names = [1, 2, 3].filter((write) => (mask & (1 << write)) !== 0).map((write) => `w${write}`);
  return names.length === 0 ? "nothing" : names.join(" ");
}
