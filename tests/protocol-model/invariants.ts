/** What must hold in every state. The observer's `committed`, `acked` and `failed` are compared with the nodes. */
import { isServing } from "./clock-actions.ts";
import { epochOf, LEADER, type NodeState, writeOf } from "./cluster-state.ts";
import { requiredSet } from "./leadership.ts";
import type { World } from "./world.ts";

/** The first invariant that the world's state breaks, in words, or undefined. */
export function brokenInvariant(world: World): string | undefined {
  return (
    logsMatch(world) ??
    quorumIsSuperset(world) ??
    leadersAreComplete(world) ??
    servingIsExclusive(world) ??
    failuresHold(world)
  );
}

/** Log matching: entries with one epoch and position are equal, and so is all before them. Epochs never fall. */
function logsMatch(world: World): string | undefined {
  for (let a = 0; a < world.count; a++) {
    const { log } = world.node(a);
    for (let at = 1; at < log.length; at++) {
      if (epochOf(log[at] ?? 0) < epochOf(log[at - 1] ?? 0)) return `log matching: the epochs in n${a}'s log fall`;
    }
    for (let b = a + 1; b < world.count; b++) {
      if (!areMatching(log, world.node(b).log)) {
        return `log matching: n${a} and n${b} differ before an entry they share`;
      }
    }
  }
  return undefined;
}

function areMatching(left: readonly number[], right: readonly number[]): boolean {
  let isEqual = true;
  for (let at = 0; at < left.length && at < right.length; at++) {
    isEqual &&= left[at] === right[at];
    if (!isEqual && epochOf(left[at] ?? 0) === epochOf(right[at] ?? 0)) return false;
  }
  return true;
}

/** Quorum superset: a leader needs every store that the document calls in-sync in its epoch. */
function quorumIsSuperset(world: World): string | undefined {
  const { document } = world.state;
  for (let index = 0; index < world.count; index++) {
    const node = world.node(index);
    if (node.role !== LEADER || node.led !== document.epoch) continue;
    if ((document.isr & ~requiredSet(world, node)) !== 0) {
      return `quorum superset: n${index} does not need an in-sync member`;
    }
  }
  return undefined;
}

/** Leader completeness and no ack lost: who may be promoted is complete and has flushed all that was committed or answered. */
function leadersAreComplete(world: World): string | undefined {
  const { document, committed, acked } = world.state;
  for (let index = 0; index < world.count; index++) {
    if ((document.isr & world.bit(index)) === 0) continue;
    const node = world.node(index);
    // Only a complete copy may be promoted; M43 loses data nevertheless, later, and it is shown how.
    if (!node.isComplete && world.has("M43")) continue;
    for (let at = 0; at < committed.length; at++) {
      if (at < node.flushed && node.log[at] === committed[at]) continue;
      return `leader completeness: n${index} is in-sync and has not flushed committed entry ${at + 1}`;
    }
    if ((acked & ~writesOf(node, node.flushed)) !== 0) {
      return `no ack lost: n${index} is in-sync and lacks an acknowledged write`;
    }
    if (!node.isComplete && !world.has("M40")) {
      return `leader completeness: n${index} is in-sync and its copy is not complete`;
    }
  }
  return undefined;
}

function writesOf(node: NodeState, length: number): number {
  let writes = 0;
  for (let at = 0; at < length; at++) writes |= 1 << writeOf(node.log[at] ?? 0);
  return writes & ~1;
}

/** Lease disjointness: who would answer a read knows all acknowledged writes, and nobody has begun a later term. */
function servingIsExclusive(world: World): string | undefined {
  if (!world.profile.clock) return undefined;
  for (let index = 0; index < world.count; index++) {
    if (!isServing(world, index)) continue;
    const server = world.node(index);
    for (let other = 0; other < world.count; other++) {
      const rival = world.node(other);
      if (rival.role !== LEADER || rival.led <= server.led || rival.commit < rival.epochStart) continue;
      return `lease disjointness: n${index} serves while n${other} leads a later epoch`;
    }
    if ((world.state.acked & ~writesOf(server, server.log.length)) !== 0) {
      return `stale read: n${index} would answer without an acknowledged write`;
    }
  }
  return undefined;
}

/** No resurrection: what was answered as failed is never committed. */
function failuresHold(world: World): string | undefined {
  const { failed, committed } = world.state;
  if (failed === 0) return undefined;
  const isBack = committed.some((entry) => writeOf(entry) > 0 && (failed & (1 << writeOf(entry))) !== 0);
  return isBack ? "no resurrection: a write answered as failed is committed" : undefined;
}
