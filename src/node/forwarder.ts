import { KvError } from "../model/errors.ts";
import type { Operation, Reply, ReplyCallback, RequestOptions } from "../model/operation.ts";
import type { Epoch, NodeName } from "../model/position.ts";
import type { Shard } from "../model/topology.ts";
import type { PeerNetwork } from "../wire/peer-network.ts";
import { ProtocolError } from "../wire/protocol-error.ts";
import type { LeaderDirectory } from "./leader-directory.ts";
import type { NodeCounters } from "./node-counters.ts";
import { isRead } from "./operation-traits.ts";
import { encodeCall } from "./peer-call.ts";
import { decodeReply } from "../wire/operation-codec.ts";
import { failure, verdictOf } from "./verdict.ts";

export interface ForwardedOperation {
  readonly shard: Shard;
  readonly operation: Operation;
  readonly options: RequestOptions;
  readonly target: NodeName;
  readonly timeoutMs: number;
  /** How many times the operation has been sent on, this one included. */
  readonly hops: number;
  /** The newest leadership that whoever sent it here has heard of. */
  readonly askedEpoch?: Epoch;
}

/**
 * Sends one operation to one other node, once, and says honestly what came of it (rule U5): an answer, a definite "not
 * applied" when nothing was sent, or unknown when the connection broke, the time ran out or the answer made no sense
 * after it was sent. It never repeats anything; what it hears of leaders goes to the directory.
 */
export class Forwarder {
  readonly #network: PeerNetwork;
  readonly #directory: LeaderDirectory;
  readonly #counters: NodeCounters;

  constructor(parts: { network: PeerNetwork; directory: LeaderDirectory; counters: NodeCounters }) {
    this.#network = parts.network;
    this.#directory = parts.directory;
    this.#counters = parts.counters;
  }

  operate(forwarded: ForwardedOperation, done: ReplyCallback): void {
    const { shard, operation, options, target, timeoutMs, hops } = forwarded;
    this.#counters.forwarded++;
    const epoch = Math.max(forwarded.askedEpoch ?? 0, this.#directory.known(shard.name).epoch);
    const body = encodeCall({ kind: "operate", shard: shard.name, hops, leftMs: timeoutMs, epoch, operation, options });
    this.#network.request(target, {
      body,
      timeoutMs,
      done: (outcome) => {
        const reply =
          "body" in outcome ? this.#readReply(outcome.body, target) : failure(namedError(outcome.error, target));
        this.#observe(forwarded, reply);
        done(reply);
      },
    });
  }

  #readReply(body: Buffer, target: NodeName): Reply {
    try {
      return decodeReply(body);
    } catch (error) {
      if (!(error instanceof ProtocolError)) throw error;
      const message = `The answer of ${target} makes no sense: ${error.message}`;
      return failure(new KvError("UNKNOWN_OUTCOME", message, { cause: error }));
    }
  }

  #observe({ shard, operation, target }: ForwardedOperation, reply: Reply): void {
    if (reply.ok) {
      this.#directory.heardAnswer(reply.answerer, reply.position.epoch);
      return;
    }
    const read = isRead(operation);
    if (reply.error.code === "UNKNOWN_OUTCOME") {
      if (!read) this.#counters.unknownOutcomes++;
      this.#directory.doubt(shard.name, target);
    } else if (verdictOf(reply, read) !== "final") {
      this.#directory.heardRefusal(shard.name, target, reply.error.details);
    }
  }
}

/** Says which node it was: a relayed error would leave that open. */
function namedError(error: KvError, target: NodeName): KvError {
  if (error.message.includes(target)) return error;
  return new KvError(error.code, `${target}: ${error.message}`, { details: error.details, cause: error });
}
