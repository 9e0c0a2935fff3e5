import { assert, unreachable } from "../../../src/base/assert.ts";
import type { SeededRandom } from "../../../src/base/random.ts";
import { HistoryRecorder } from "./history-recorder.ts";
import type { HistoryOperation, RegisterOperation, RegisterResult } from "./history.ts";

export interface GeneratedHistoryOptions {
  readonly random: SeededRandom;
  readonly operationCount: number;
  readonly clientCount: number;
  readonly keys?: readonly string[];
  /** Shares of calls that get no answer (half of them take effect, later) and that are refused. */
  readonly unknownShare?: number;
  readonly refusedShare?: number;
  /** False leaves increments out, so that every value names its writer. */
  readonly withIncrements?: boolean;
}

interface Cell {
  value: string | null;
  version: number;
}

type ClientState =
  | { readonly kind: "idle" }
  | { readonly kind: "called"; readonly call: OpenCall }
  | { readonly kind: "effective"; readonly call: OpenCall; readonly result: RegisterResult; readonly sequence: number };

interface OpenCall {
  readonly id: number;
  readonly key: string;
  readonly operation: RegisterOperation;
}

/**
 * A linearizable history by construction: clients call, take effect on real cells at one instant, and return, interleaved at
 * random. Answers carry the log position, one entry a write.
 */
export function generateHistory(options: GeneratedHistoryOptions): HistoryOperation[] {
  return new HistoryGenerator(options).run();
}

class HistoryGenerator {
  readonly #options: GeneratedHistoryOptions;
  readonly #random: SeededRandom;
  readonly #keys: readonly string[];
  readonly #recorder: HistoryRecorder;
  readonly #cells: Map<string, Cell> = new Map();
  readonly #clients: ClientState[];
  /** Effects of calls that were given up, still to happen. */
  readonly #late: OpenCall[] = [];
  #sequence = 0;
  #called = 0;
  #tick = 0;

  constructor(options: GeneratedHistoryOptions) {
    this.#options = options;
    this.#random = options.random;
    this.#keys = options.keys ?? ["key"];
    this.#recorder = new HistoryRecorder(() => this.#tick);
    this.#clients = Array.from({ length: options.clientCount }, () => ({ kind: "idle" }));
  }

  run(): HistoryOperation[] {
    while (this.#called < this.#options.operationCount || this.#clients.some((client) => client.kind !== "idle")) {
      this.#tick++;
      if (this.#late.length > 0 && this.#random.next() < 0.05) this.#applyOneLate();
      this.#advance(this.#random.below(this.#clients.length));
    }
    return this.#recorder.history();
  }

  #advance(client: number): void {
    const state = this.#clients[client];
    assert(state !== undefined, "clients are numbered from 0");
    if (state.kind === "idle") {
      if (this.#called < this.#options.operationCount) this.#call(client);
    } else if (state.kind === "called") {
      this.#takeEffect(client, state.call);
    } else {
      const position = { epoch: 1, sequence: state.sequence };
      this.#recorder.complete(state.call.id, { kind: "ok", result: state.result, position });
      this.#clients[client] = { kind: "idle" };
    }
  }

  #call(client: number): void {
    const key = this.#keys[this.#random.below(this.#keys.length)] ?? "key";
    const operation = this.#pickOperation(key);
    const id = this.#recorder.invoke(client, key, operation);
    this.#called++;
    this.#clients[client] = { kind: "called", call: { id, key, operation } };
  }

  #takeEffect(client: number, call: OpenCall): void {
    const { unknownShare = 0, refusedShare = 0 } = this.#options;
    const draw = this.#random.next();
    if (draw < unknownShare) {
      this.#recorder.complete(call.id, { kind: "unknown" });
      if (this.#random.next() < 0.5) this.#late.push(call);
      this.#clients[client] = { kind: "idle" };
    } else if (draw < unknownShare + refusedShare) {
      this.#recorder.complete(call.id, { kind: "notApplied" });
      this.#clients[client] = { kind: "idle" };
    } else {
      const result = this.#apply(call);
      this.#clients[client] = { kind: "effective", call, result, sequence: this.#sequence };
    }
  }

  #applyOneLate(): void {
    const [call] = this.#late.splice(this.#random.below(this.#late.length), 1);
    if (call !== undefined) this.#apply(call);
  }

  #pickOperation(key: string): RegisterOperation {
    const kinds = this.#options.withIncrements === false ? 6 : 7;
    const draw = this.#random.next();
    const value = `v${this.#called}`;
    const guess = (this.#cells.get(key)?.version ?? 0) - (this.#random.next() < 0.3 ? 1 : 0);
    if (draw < 0.5) return { kind: "get" };
    switch (this.#random.below(kinds)) {
      case 0:
        return { kind: "delete" };
      case 1:
        return { kind: "putIfAbsent", value };
      case 2:
        return { kind: "putIfVersion", value, version: guess };
      case 3:
        return { kind: "deleteIfVersion", version: guess };
      case 6:
        return { kind: "increment", by: 1 + this.#random.below(3) };
      default:
        return { kind: "put", value };
    }
  }

  #apply({ key, operation }: OpenCall): RegisterResult {
    const cell = this.#cells.get(key) ?? { value: null, version: 0 };
    const write = (value: string | null): number => {
      this.#sequence += 1 + this.#random.below(2);
      this.#cells.set(key, { value, version: this.#sequence });
      return this.#sequence;
    };
    const isMatch = "version" in operation && cell.value !== null && cell.version === operation.version;
    switch (operation.kind) {
      case "get":
        return cell.value === null ? { kind: "absent" } : { kind: "value", value: cell.value, version: cell.version };
      case "put":
        return { kind: "written", version: write(operation.value) };
      case "putIfAbsent":
        return cell.value === null
          ? { kind: "written", version: write(operation.value) }
          : { kind: "preconditionFailed" };
      case "putIfVersion":
        return isMatch ? { kind: "written", version: write(operation.value) } : { kind: "preconditionFailed" };
      case "deleteIfVersion":
        return isMatch ? { kind: "deleted", existed: true, version: write(null) } : { kind: "preconditionFailed" };
      case "delete":
        return cell.value === null
          ? { kind: "deleted", existed: false }
          : { kind: "deleted", existed: true, version: write(null) };
      case "increment": {
        if (cell.value !== null && !/^\d+$/.test(cell.value)) return { kind: "notAnInteger" };
        const value = Number(cell.value ?? 0) + operation.by;
        return { kind: "incremented", value, version: write(String(value)) };
      }
      default:
        return unreachable(operation);
    }
  }
}
