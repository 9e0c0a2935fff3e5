import { assert } from "../base/assert.ts";
import type { Clock } from "../base/clock.ts";
import { LIMITS } from "../model/limits.ts";
import type {
  BatchOperation,
  KeyOperation,
  Operation,
  Reply,
  ReplyCallback,
  RequestOptions,
} from "../model/operation.ts";
import type { Shard, Topology } from "../model/topology.ts";
import { repliesOfPart, splitBatch } from "./batch-split.ts";
import type { RequestSequence } from "./gateway.ts";
import { isForAnyMember } from "./operation-traits.ts";
import type { OrderedLane } from "./ordered-lane.ts";
import { stopping } from "./refusals.ts";
import type { Router } from "./router.ts";
import { failure } from "./verdict.ts";

export interface ClientRequestsParts {
  readonly topology: Topology;
  readonly router: Router;
  readonly clock: Clock;
  /** Whether this node has begun to shut down. */
  readonly isStopping: () => boolean;
}

/** What clients ask, split by shard: in the order of one connection when `isOrdered`, else each for itself. */
export class ClientRequests implements RequestSequence {
  readonly #parts: ClientRequestsParts;
  readonly #lanes: Map<string, OrderedLane> | null;

  constructor(parts: ClientRequestsParts, isOrdered: boolean) {
    this.#parts = parts;
    this.#lanes = isOrdered ? new Map() : null;
  }

  execute(operation: KeyOperation, options: RequestOptions, done: ReplyCallback): void {
    this.onShard(this.#parts.topology.shardOfKey(operation.key), operation, { options, done });
  }

  executeBatch(
    operations: readonly KeyOperation[],
    options: RequestOptions,
    done: (replies: readonly Reply[]) => void,
  ): void {
    const parts = splitBatch(operations, this.#parts.topology);
    const replies: Reply[] = [];
    let openCount = parts.length;
    if (openCount === 0) {
      done(replies);
      return;
    }
    for (const part of parts) {
      const merge = (reply: Reply): void => {
        const own = repliesOfPart(part, reply);
        part.indexes.forEach((index, at) => {
          const one = own[at];
          if (one !== undefined) replies[index] = one;
        });
        openCount--;
        if (openCount === 0) done(replies);
      };
      this.onShard(part.shard, part.operation, { options, done: merge });
    }
  }

  transact(batch: BatchOperation, options: RequestOptions, done: ReplyCallback): void {
    const key = batch.operations[0]?.key ?? batch.guards?.[0]?.key;
    assert(key !== undefined, "a transaction names at least one key");
    this.onShard(this.#parts.topology.shardOfKey(key), batch, { options, done });
  }

  /** Any operation on one shard. `deadlineMs` is on the clock; by default LIMITS.forwardDeadlineMs from now. */
  onShard(
    shard: Shard,
    operation: Operation,
    request: { readonly options: RequestOptions; readonly done: ReplyCallback; readonly deadlineMs?: number },
  ): void {
    const { router, clock, isStopping } = this.#parts;
    const { options, done } = request;
    if (isStopping()) {
      done(failure(stopping()));
      return;
    }
    if (this.#lanes !== null && !isForAnyMember(operation, options)) {
      this.#laneOf(this.#lanes, shard).submit(operation, options, done, request.deadlineMs);
      return;
    }
    const deadlineMs = request.deadlineMs ?? clock.nowMs() + LIMITS.forwardDeadlineMs;
    router.execute({ shard, operation, options, deadlineMs }, done);
  }

  #laneOf(lanes: Map<string, OrderedLane>, shard: Shard): OrderedLane {
    const present = lanes.get(shard.name);
    if (present !== undefined) return present;
    const lane = this.#parts.router.laneFor(shard);
    lanes.set(shard.name, lane);
    return lane;
  }
}
