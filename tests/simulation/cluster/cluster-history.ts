import type { NodeName } from "../../../src/model/position.ts";
import { HistoryRecorder, type CallTime } from "../../support/linearizability/history-recorder.ts";
import type {
  HistoryOperation,
  Outcome,
  RegisterOperation,
  RegisterResult,
} from "../../support/linearizability/history.ts";
import type { Simulation } from "../base/simulation.ts";

/** What an acknowledgement promises: flushed by the leader, or by every member of the in-sync set. */
export type Guarantee = "flushed" | "in-sync";

/** What is known of a recorded operation besides what the checkers need. */
export interface OperationNotes {
  readonly shard: string;
  readonly guarantee: Guarantee;
  /** The node that the client asked. */
  readonly node: NodeName;
}

/** An answer to an `eventual` read: some committed prefix of the shard's log, named by its position. */
export interface EventualRead {
  readonly shard: string;
  readonly key: string;
  readonly answeredBy: NodeName;
  readonly result: RegisterResult;
  readonly epoch: number;
  readonly sequence: number;
  readonly endedAtMs: number;
}

/** Operations of one client connection in the order of submission: the order in which the shard must have executed them. */
export interface Submission {
  readonly connection: number;
  readonly order: number;
  readonly id: number;
}

/** Owns everything that the clients of a run did and saw. */
export class ClusterHistory {
  readonly eventualReads: EventualRead[] = [];
  readonly submissions: Submission[] = [];
  readonly notes: Map<number, OperationNotes> = new Map();
  readonly #recorder: HistoryRecorder;

  constructor(simulation: Simulation) {
    this.#recorder = new HistoryRecorder(() => simulation.nowMs);
  }

  invoke(
    call: {
      readonly client: number;
      readonly key: string;
      readonly operation: RegisterOperation;
      readonly request?: number;
    },
    notes: OperationNotes,
  ): number {
    const id = this.#recorder.invoke(call.client, call.key, call.operation, call.request);
    this.notes.set(id, notes);
    return id;
  }

  complete(id: number, outcome: Outcome): void {
    this.#recorder.complete(id, outcome);
  }

  noteCall(): CallTime {
    return this.#recorder.noteCall();
  }

  completeRead(client: number, key: string, at: CallTime, result: RegisterResult): void {
    this.#recorder.completeRead(client, key, at, result);
  }

  get finishedCount(): number {
    return this.#recorder.finishedCount;
  }

  operations(): HistoryOperation[] {
    return this.#recorder.history();
  }
}
