import type { Timer } from "../base/clock.ts";
import type { Position } from "../model/operation.ts";
import type { ClusterStatus, ShardStatus } from "../node/gateway.ts";
import { type Argument, integerOf } from "./argument.ts";
import { CommandError } from "./command-error.ts";
import type { CommandContext, Plan, Render } from "./command.ts";

const POLL_MS_MIN = 2;
const POLL_MS_MAX = 100;

/**
 * `WAIT numreplicas timeout`: how many replicas have flushed what this connection wrote; waits until there are enough of them,
 * or the time (ms; 0: no end) is over.
 *
 * With writes on several shards it is the smallest number of all of them. A write of an earlier leadership counts for nothing:
 * nobody can say where it is.
 */
export function planWait([, wanted, timeout]: readonly Argument[], context: CommandContext): Plan {
  const replicaCount = integerOf(wanted);
  const complaint = "timeout is not an integer or out of range";
  const timeoutMs = integerOf(timeout, complaint);
  if (timeoutMs < 0n) throw new CommandError("ERR timeout is negative");
  return {
    kind: "alone",
    run: (done) => new ReplicaWait(context, { replicaCount, timeoutMs: Number(timeoutMs) }, done).start(),
  };
}

/** Asks the leaders until enough replicas have flushed, the time is over, or the connection is. */
class ReplicaWait {
  readonly #context: CommandContext;
  readonly #wanted: bigint;
  readonly #timeoutMs: number;
  readonly #done: (render: Render) => void;
  #lastCount = 0;
  #isOver = false;
  #deadline: Timer | null = null;
  #pollMs = POLL_MS_MIN;

  constructor(
    context: CommandContext,
    demand: { readonly replicaCount: bigint; readonly timeoutMs: number },
    done: (render: Render) => void,
  ) {
    this.#context = context;
    this.#wanted = demand.replicaCount;
    this.#timeoutMs = Math.min(demand.timeoutMs, 0x7fff_ffff);
    this.#done = done;
  }

  start(): void {
    if (this.#timeoutMs > 0) this.#deadline = this.#context.timers.after(this.#timeoutMs, () => this.#finish());
    this.#ask();
  }

  #ask(): void {
    this.#context.gateway.cluster((status) => {
      if (this.#isOver) return;
      this.#lastCount = flushedReplicas(status, this.#context.session.writes);
      if (BigInt(this.#lastCount) >= this.#wanted || this.#context.session.isLeaving) {
        this.#finish();
        return;
      }
      this.#context.timers.after(this.#pollMs, () => {
        if (!this.#isOver) this.#ask();
      });
      this.#pollMs = Math.min(POLL_MS_MAX, this.#pollMs * 2);
    });
  }

  #finish(): void {
    this.#isOver = true;
    this.#deadline?.cancel();
    const count = this.#lastCount;
    this.#done((out) => out.integer(count));
  }
}

function flushedReplicas({ shards }: ClusterStatus, writes: ReadonlyMap<string, Position>): number {
  const counts = shards.flatMap((shard) => {
    const written = writes.get(shard.shard);
    return written === undefined && writes.size > 0 ? [] : [countIn(shard, written)];
  });
  return counts.length === 0 ? 0 : Math.min(...counts);
}

/** Replicas of one shard that have flushed up to `written`; with nothing written, those that are connected. */
function countIn(shard: ShardStatus, written: Position | undefined): number {
  const leader = shard.members.find((member) => member.node === shard.leader);
  if (leader?.reachable !== true || leader.role !== "leader") return 0;
  if (written === undefined) return leader.replicas.filter((replica) => replica.connected).length;
  if (leader.epoch !== written.epoch) return 0;
  return leader.replicas.filter((replica) => replica.durableSequence >= written.sequence).length;
}
