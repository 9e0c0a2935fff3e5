import { KvError } from "../model/errors.ts";
import { LIMITS } from "../model/limits.ts";
import type { Reply, ReplyCallback } from "../model/operation.ts";
import type { NodeName } from "../model/position.ts";
import type { Shard, Topology } from "../model/topology.ts";
import { encodeReply } from "../wire/operation-codec.ts";
import type { Respond } from "../wire/peer-network.ts";
import type { Forwarder } from "./forwarder.ts";
import type { LeaderDirectory } from "./leader-directory.ts";
import { leaderHint } from "./leader-hint.ts";
import type { LocalMember } from "./local-member.ts";
import type { NodeCounters } from "./node-counters.ts";
import { isForAnyMember, isRead } from "./operation-traits.ts";
import { decodeCall, type PeerCall } from "./peer-call.ts";
import { encodeAnswer } from "./peer-answer.ts";
import { copyOfMember } from "./copy-of-member.ts";
import type { ScanPositions } from "./scan-positions.ts";
import { stopping } from "./refusals.ts";
import { failure } from "./verdict.ts";

export interface PeerServerParts {
  readonly node: NodeName;
  readonly topology: Topology;
  readonly member: LocalMember;
  readonly directory: LeaderDirectory;
  readonly forwarder: Forwarder;
  readonly counters: NodeCounters;
  readonly positions: ScanPositions;
}

type OperateCall = Extract<PeerCall, { readonly kind: "operate" }>;

/**
 * Serves what other nodes ask of this one: operations on its shard, its status, its copy of a key, its promotion.
 *
 * An operation that needs the leader, when this member is not it, is passed on to the leader known here, once and without
 * repeating: whoever sent it keeps the order and the time. The number of hops is bounded, so that nodes that disagree
 * about the leader do not send an operation round in circles. At most `LIMITS.peerRequestsInFlightMax` are under way.
 */
export class PeerServer {
  readonly #parts: PeerServerParts;
  #underWayCount = 0;
  #isStopped = false;
  #onQuiet: (() => void) | null = null;

  constructor(parts: PeerServerParts) {
    this.#parts = parts;
  }

  /** From now on everything is refused: definitely not applied. `done` when what was under way has been answered. */
  stop(done: () => void): void {
    this.#isStopped = true;
    if (this.#underWayCount === 0) done();
    else this.#onQuiet = done;
  }

  /** Throws ProtocolError when the bytes make no sense; else answers exactly once. */
  serve(from: NodeName, body: Buffer, respond: Respond): void {
    const call = decodeCall(body);
    const { member } = this.#parts;
    if (call.kind === "operate") {
      this.#serveOperation(from, call, respond);
      return;
    }
    if (call.kind === "status") {
      respond(encodeAnswer({ status: member.status(), known: member.knownLeader() }));
      return;
    }
    if (call.kind === "promote") {
      member.promote(call.request, (report) => respond(encodeAnswer(report)));
      return;
    }
    if (call.kind === "position") {
      const position = this.#parts.positions.find(call.number);
      const hex = position === null ? null : Buffer.from(position, "latin1").toString("hex");
      respond(encodeAnswer({ position: hex }));
      return;
    }
    respond(encodeAnswer(copyOfMember(member, call.key)));
  }

  #serveOperation(from: NodeName, call: OperateCall, respond: Respond): void {
    const { counters } = this.#parts;
    if (this.#underWayCount >= LIMITS.peerRequestsInFlightMax) {
      counters.overloaded++;
      const message = `Node ${this.#parts.node} has ${this.#underWayCount} requests of other nodes under way`;
      respond(encodeReply(failure(new KvError("OVERLOADED", message))));
      return;
    }
    counters.served++;
    this.#underWayCount++;
    this.#operate(from, call, (reply) => {
      this.#underWayCount--;
      respond(encodeFitting(reply, isRead(call.operation)));
      if (this.#underWayCount === 0) this.#onQuiet?.();
    });
  }

  #operate(from: NodeName, call: OperateCall, done: ReplyCallback): void {
    const { topology, member, directory, forwarder, node } = this.#parts;
    const shard = topology.shardByName(call.shard);
    const refusal = this.#refusalOf(call);
    if (refusal !== null || shard === undefined) {
      done(failure(refusal ?? unknownShard(call.shard)));
      return;
    }
    const { leader } = directory.known(shard.name);
    const isForAny = isForAnyMember(call.operation, call.options);
    // Deposed, without having heard of it yet: what it took now, the shard would lose.
    const isDeposed =
      member.role === "leader" && member.shard === shard.name && call.epoch > member.knownLeader().epoch;
    if (isDeposed && !isForAny) return done(failure(notLeader(node, shard)));
    const mayServe = member.role === "leader" || isForAny;
    const { operation, options, leftMs, hops } = call;
    if (member.shard === shard.name && (mayServe || leader === node || leader === null)) {
      member.execute(operation, options, (reply) => done(this.#withHint(shard, reply)));
    } else if (leader === null || leader === node || leader === from) {
      // Never back to the asker, who has just said that it does not lead.
      done(this.#withHint(shard, failure(notLeader(node, shard))));
    } else if (hops >= LIMITS.hopsMax) {
      done(this.#withHint(shard, failure(tooManyHops(call))));
    } else {
      const onward = { shard, operation, options, target: leader, timeoutMs: leftMs, hops: hops + 1 };
      forwarder.operate({ ...onward, askedEpoch: call.epoch }, done);
    }
  }

  /** Why `call` is not even looked at; null when it is. */
  #refusalOf(call: OperateCall): KvError | null {
    if (this.#isStopped) return stopping();
    if (call.hops > LIMITS.hopsMax) return tooManyHops(call);
    if (call.leftMs > 0) return null;
    return new KvError("DEADLINE_EXCEEDED", "The request's time had run out when it arrived");
  }

  /** A refusal for want of leadership names the leader known here, so that the asker can go there. */
  #withHint(shard: Shard, reply: Reply): Reply {
    if (reply.ok) return reply;
    const { code, message } = reply.error;
    if (code !== "NOT_LEADER" && code !== "TOO_MANY_HOPS") return reply;
    const details = { ...reply.error.details, ...leaderHint(this.#parts.directory.known(shard.name)) };
    return failure(new KvError(code, message, { details }));
  }
}

/** An answer too large for a message (many large values read at once) is an error, and honest about what was written. */
function encodeFitting(reply: Reply, read: boolean): Buffer {
  const body = encodeReply(reply);
  if (body.length <= LIMITS.messageBytesMax) return body;
  const message = `The answer has ${body.length} bytes; the limit between nodes is ${LIMITS.messageBytesMax}`;
  return encodeReply(failure(new KvError(read ? "VALUE_TOO_LARGE" : "UNKNOWN_OUTCOME", message)));
}

function notLeader(node: NodeName, shard: Shard): KvError {
  return new KvError("NOT_LEADER", `Node ${node} does not lead shard ${shard.name}`);
}

function unknownShard(name: string): KvError {
  return new KvError("PROTOCOL", `There is no shard "${name}" in this node's configuration`);
}

function tooManyHops(call: OperateCall): KvError {
  return new KvError(
    "TOO_MANY_HOPS",
    `The request for shard ${call.shard} was sent on ${call.hops} times without finding its leader`,
  );
}
