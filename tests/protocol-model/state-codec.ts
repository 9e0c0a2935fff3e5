import type { ClusterState, NodeState, PairState, Proposal } from "./cluster-state.ts";

const LOG_ENTRIES_MAX = 8;
const NODE_BYTES = 19 + 1 + LOG_ENTRIES_MAX;
const PAIR_BYTES = 16;
const PROPOSAL_BYTES = 4;
const ORPHANS_MAX = 2;
const WRITES_MAX = 3;
const REST_BYTES = 9 + 3 + 1 + LOG_ENTRIES_MAX + 4 + WRITES_MAX;

/**
 * Owns the flat form of a cluster: one byte a field, always in the same order, so that equal clusters are equal bytes.
 * The length is a multiple of four, for the hash. Every value is below 256 by the bounds of the profiles.
 */
export class StateCodec {
  readonly byteLength: number;
  #bytes: Uint8Array = new Uint8Array(0);
  #at = 0;

  constructor(nodes: number) {
    const exact =
      nodes * NODE_BYTES + nodes * (nodes - 1) * PAIR_BYTES + (1 + ORPHANS_MAX) * PROPOSAL_BYTES + REST_BYTES;
    this.byteLength = Math.ceil(exact / 4) * 4;
  }

  /** Writes `state` to the first `byteLength` bytes of `bytes`. */
  encode(state: ClusterState, bytes: Uint8Array): void {
    this.#bytes = bytes;
    this.#at = 0;
    for (const node of state.nodes) this.#putNode(node);
    const nodes = state.nodes.length;
    for (let i = 0; i < state.pairs.length; i++) {
      const pair = state.pairs[i];
      if (pair !== undefined && i % (nodes + 1) !== 0) this.#putPair(pair);
    }
    this.#putProposal(state.document);
    for (const orphan of state.orphans) this.#putProposal(orphan);
    const { left } = state;
    this.#put(left.writes);
    this.#put(left.crashes);
    this.#put(left.wipes);
    this.#put(left.lateSwaps);
    this.#put(left.touches);
    this.#put(left.setChanges);
    this.#put(left.handovers);
    this.#put(left.reads);
    this.#put(left.resignations);
    this.#put(state.writesBegun);
    this.#put(state.acked);
    this.#put(state.failed);
    this.#putLog(state.committed);
    this.#put(state.readBy);
    this.#put(state.readLength);
    this.#put(state.readAcked);
    this.#put(state.leaseFlags);
    for (let i = 0; i < WRITES_MAX; i++) this.#put(state.waiting[i] ?? 0);
  }

  /** Overwrites every field of `state` with what `bytes` hold from `offset` on. */
  decode(bytes: Uint8Array, offset: number, state: ClusterState): void {
    this.#bytes = bytes;
    this.#at = offset;
    for (const node of state.nodes) this.#takeNode(node);
    const nodes = state.nodes.length;
    for (let i = 0; i < state.pairs.length; i++) {
      const pair = state.pairs[i];
      if (pair !== undefined && i % (nodes + 1) !== 0) this.#takePair(pair);
    }
    this.#takeProposal(state.document);
    for (const orphan of state.orphans) this.#takeProposal(orphan);
    const { left } = state;
    left.writes = this.#take();
    left.crashes = this.#take();
    left.wipes = this.#take();
    left.lateSwaps = this.#take();
    left.touches = this.#take();
    left.setChanges = this.#take();
    left.handovers = this.#take();
    left.reads = this.#take();
    left.resignations = this.#take();
    state.writesBegun = this.#take();
    state.acked = this.#take();
    state.failed = this.#take();
    this.#takeLog(state.committed);
    state.readBy = this.#take();
    state.readLength = this.#take();
    state.readAcked = this.#take();
    state.leaseFlags = this.#take();
    for (let i = 0; i < WRITES_MAX; i++) state.waiting[i] = this.#take();
  }

  #put(value: number): void {
    this.#bytes[this.#at++] = value;
  }

  #take(): number {
    return this.#bytes[this.#at++] ?? 0;
  }

  #putFlag(value: boolean): void {
    this.#bytes[this.#at++] = value ? 1 : 0;
  }

  #takeFlag(): boolean {
    return this.#bytes[this.#at++] === 1;
  }

  #putLog(log: readonly number[]): void {
    if (log.length > LOG_ENTRIES_MAX) throw new Error("the profile lets logs grow beyond what a state has room for");
    this.#put(log.length);
    for (let i = 0; i < LOG_ENTRIES_MAX; i++) this.#put(i < log.length ? (log[i] ?? 0) : 0);
  }

  #takeLog(log: number[]): void {
    const length = this.#take();
    log.length = length;
    for (let i = 0; i < length; i++) log[i] = this.#take();
    this.#at += LOG_ENTRIES_MAX - length;
  }

  #putProposal(proposal: Proposal): void {
    this.#put(proposal.kind);
    this.#put(proposal.epoch);
    this.#put(proposal.leader);
    this.#put(proposal.isr);
  }

  #takeProposal(proposal: Proposal): void {
    proposal.kind = this.#take();
    proposal.epoch = this.#take();
    proposal.leader = this.#take();
    proposal.isr = this.#take();
  }

  #putNode(node: NodeState): void {
    this.#putFlag(node.isUp);
    this.#put(node.role);
    this.#put(node.seen);
    this.#putLog(node.log);
    this.#put(node.flushed);
    this.#put(node.commit);
    this.#put(node.generation);
    this.#putFlag(node.isComplete);
    this.#put(node.promise);
    this.#put(node.connectedTo);
    this.#put(node.led);
    this.#put(node.epochStart);
    this.#put(node.confirmed);
    this.#put(node.proposed);
    this.#putProposal(node.change);
    this.#put(node.change.fate);
    this.#put(node.lateEntry);
  }

  #takeNode(node: NodeState): void {
    node.isUp = this.#takeFlag();
    node.role = this.#take();
    node.seen = this.#take();
    this.#takeLog(node.log);
    node.flushed = this.#take();
    node.commit = this.#take();
    node.generation = this.#take();
    node.isComplete = this.#takeFlag();
    node.promise = this.#take();
    node.connectedTo = this.#take();
    node.led = this.#take();
    node.epochStart = this.#take();
    node.confirmed = this.#take();
    node.proposed = this.#take();
    this.#takeProposal(node.change);
    node.change.fate = this.#take();
    node.lateEntry = this.#take();
  }

  #putPair(pair: PairState): void {
    this.#putFlag(pair.hasSession);
    this.#put(pair.sessionGeneration);
    this.#putFlag(pair.sessionComplete);
    this.#put(pair.sessionDurable);
    this.#put(pair.lease);
    this.#put(pair.ackEpoch);
    this.#put(pair.ackDurable);
    this.#putFlag(pair.ackComplete);
    this.#put(pair.beaconEpoch);
    this.#put(pair.beaconAge);
    this.#put(pair.echoEpoch);
    this.#put(pair.echoAge);
    this.#put(pair.entriesEpoch);
    this.#put(pair.entriesAt);
    this.#put(pair.entriesEntry);
    this.#put(pair.entriesCommit);
  }

  #takePair(pair: PairState): void {
    pair.hasSession = this.#takeFlag();
    pair.sessionGeneration = this.#take();
    pair.sessionComplete = this.#takeFlag();
    pair.sessionDurable = this.#take();
    pair.lease = this.#take();
    pair.ackEpoch = this.#take();
    pair.ackDurable = this.#take();
    pair.ackComplete = this.#takeFlag();
    pair.beaconEpoch = this.#take();
    pair.beaconAge = this.#take();
    pair.echoEpoch = this.#take();
    pair.echoAge = this.#take();
    pair.entriesEpoch = this.#take();
    pair.entriesAt = this.#take();
    pair.entriesEntry = this.#take();
    pair.entriesCommit = this.#take();
  }
}
