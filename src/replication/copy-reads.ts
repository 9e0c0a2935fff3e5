import { assert } from "../base/assert.ts";
import { mutant } from "../base/mutants.ts";
import { LIMITS } from "../model/limits.ts";
import type { Operation, ReplyCallback, RequestOptions } from "../model/operation.ts";
import { isBounded } from "../model/read-bounds.ts";
import type { ShardStore } from "../shard/shard-store.ts";
import type { DutySwitch } from "./duty-switch.ts";
import type { Follower } from "./follower.ts";
import type { MemberConfig, MemberEnvironment } from "./member-environment.ts";
import type { MemberStatistics } from "./member-statistics.ts";
import { isHeldBy } from "./position-check.ts";
import { canReadHere, readHere, type ReadOperation } from "./replica-reads.ts";

export interface CopyReadsParts {
  readonly env: MemberEnvironment;
  readonly config: MemberConfig;
  readonly duties: DutySwitch;
  readonly statistics: MemberStatistics;
  /** Does what needs the leader, or says that this member does not lead. */
  readonly onward: (operation: Operation, options: RequestOptions, done: ReplyCallback) => void;
}

interface WaitingRead {
  readonly operation: ReadOperation;
  readonly options: RequestOptions;
  readonly done: ReplyCallback;
  readonly deadlineMs: number;
}

type Verdict = "serve" | "wait" | "onward";

/**
 * `eventual` reads of one member's copy (§2.13): answered from what is committed and flushed here, where the asker's bounds allow it.
 *
 * Owns the reads that wait, not for long, for what their askers have seen. What this copy cannot serve within its bounds goes on
 * to the leader; nothing is ever shown that is older than was asked for. A copy that is not whole or damaged serves nothing (R9).
 */
export class CopyReads {
  readonly #parts: CopyReadsParts;
  #waiting: WaitingRead[] = [];

  constructor(parts: CopyReadsParts) {
    this.#parts = parts;
  }

  execute(operation: Operation, options: RequestOptions, done: ReplyCallback): void {
    const { env, onward } = this.#parts;
    const verdict = canReadHere(operation) ? this.#verdictOn(options) : "onward";
    if (verdict === "onward" || !canReadHere(operation)) return onward(operation, options, done);
    if (verdict === "serve") return this.#answer(operation, done);
    if (this.#waiting.length >= LIMITS.sessionReadsMax) return onward(operation, options, done);
    this.#waiting.push({ operation, options, done, deadlineMs: env.clock.nowMs() + LIMITS.sessionWaitMsMax });
  }

  /** More can be read here than before, or time has passed. */
  onProgress(): void {
    if (this.#waiting.length === 0) return;
    const nowMs = this.#parts.env.clock.nowMs();
    this.#settle((read) => (nowMs < read.deadlineMs ? this.#verdictOn(read.options) : "onward"));
  }

  /** The member stops: nothing waits any longer. */
  end(): void {
    this.#settle(() => "onward");
  }

  #settle(verdictOn: (read: WaitingRead) => Verdict): void {
    const waiting = this.#waiting;
    this.#waiting = [];
    for (const read of waiting) {
      const verdict = verdictOn(read);
      if (verdict === "wait") this.#waiting.push(read);
      else if (verdict === "serve") this.#answer(read.operation, read.done);
      else this.#parts.onward(read.operation, read.options, read.done);
    }
  }

  #verdictOn(options: RequestOptions): Verdict {
    const { duty, store } = this.#parts.duties;
    const { bootstrap, damage } = this.#parts.env.stateFile.state;
    if (store === null || bootstrap !== null || damage !== null) return "onward";
    // A leader knows everything; it also knows better than its copy whether what the asker has seen was lost.
    if (duty.kind === "leading") return isBounded(options) ? "onward" : "serve";
    if (duty.kind !== "following") return "onward";
    const isFresh = options.maxLagMs === undefined || duty.follower.staleMs <= options.maxLagMs;
    return isFresh ? this.#verdictOnSeen(options, store, duty.follower) : "onward";
  }

  #verdictOnSeen({ seen }: RequestOptions, store: ShardStore, follower: Follower): Verdict {
    if (seen === undefined || seen.shard !== this.#parts.config.shard.name || seen.sequence === 0) return "serve";
    if (store.settledSequence < seen.sequence) return follower.isStreaming ? "wait" : "onward";
    return isHeldBy(store.log, seen) || mutant("M53") ? "serve" : "onward";
  }

  #answer(operation: ReadOperation, done: ReplyCallback): void {
    const { env, config, duties, statistics } = this.#parts;
    const { duty, store } = duties;
    assert(store !== null, "only what was recovered is read");
    statistics.replicaReads++;
    const nowWallMs = env.clock.wallMs();
    const isLeading = duty.kind === "leading";
    const lagMs = duty.kind === "following" ? lagOf(duty.follower, store, nowWallMs) : 0;
    const answerer = {
      shard: config.shard.name,
      node: config.node,
      role: isLeading ? "leader" : "replica",
      lagMs,
    } as const;
    done(readHere({ store, answerer, nowWallMs }, operation));
  }
}

/** How old what this copy shows may be: as the leader proved it last, else by the newest entry's timestamp. */
function lagOf({ staleMs }: Follower, store: ShardStore, nowWallMs: number): number {
  return Number.isFinite(staleMs) ? staleMs : Math.max(0, nowWallMs - store.clock.lastTimestampMs);
}
