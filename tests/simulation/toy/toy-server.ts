import type { NodeName } from "../../../src/model/position.ts";
import type { PeerHandler, Respond } from "../../../src/wire/peer-network.ts";
import type { RegisterOperation, RegisterResult } from "../../support/linearizability/history.ts";
import type { SimProcess } from "../base/sim-process.ts";

/** One register on the toy disk. */
interface ToyCell {
  readonly value: string | null;
  readonly version: number;
}

/** What survives a crash of the toy server. */
export interface ToyDisk {
  cells: ReadonlyMap<string, ToyCell>;
  version: number;
}

export type ToyBug = "answersBeforeFlush" | "readsUnflushed" | "checksBeforeFlush" | null;

/**
 * A key-value server of a hundred lines, only to test the simulator with: it keeps registers in memory, flushes the whole of them to
 * its disk and answers when that is done. `bug` plants a classical mistake that the simulator must find.
 */
export class ToyServer implements PeerHandler {
  readonly #process: SimProcess;
  readonly #disk: ToyDisk;
  readonly #flushMs: () => number;
  readonly #bug: ToyBug;
  #cells: ReadonlyMap<string, ToyCell>;
  #version: number;
  #waiting: (() => void)[] = [];
  #isFlushing = false;

  constructor(options: { process: SimProcess; disk: ToyDisk; flushMs: () => number; bug: ToyBug }) {
    this.#process = options.process;
    this.#disk = options.disk;
    this.#flushMs = options.flushMs;
    this.#bug = options.bug;
    this.#cells = options.disk.cells;
    this.#version = options.disk.version;
  }

  onMessage(): void {}

  onDisconnected(): void {}

  onRequest(_from: NodeName, body: Buffer, respond: Respond): void {
    const { key, operation } = JSON.parse(body.toString()) as { key: string; operation: RegisterOperation };
    if (this.#bug === "checksBeforeFlush" && operation.kind === "putIfVersion") {
      const cell = this.#cells.get(key);
      const isMet = cell !== undefined && cell.value !== null && cell.version === operation.version;
      // The classical gap between check and write (M70).
      this.#process.after(this.#flushMs(), () => {
        const result = isMet
          ? this.#apply(key, { kind: "put", value: operation.value })
          : { kind: "preconditionFailed" as const };
        this.#whenFlushed(() => respond(Buffer.from(JSON.stringify(result))));
      });
      return;
    }
    const result = this.#apply(key, operation);
    const answer = (): void => respond(Buffer.from(JSON.stringify(result)));
    const isEarly = this.#bug === "answersBeforeFlush" || (this.#bug === "readsUnflushed" && operation.kind === "get");
    if (isEarly) answer();
    this.#whenFlushed(isEarly ? () => {} : answer);
  }

  #whenFlushed(run: () => void): void {
    this.#waiting.push(run);
    if (!this.#isFlushing) this.#flush();
  }

  #flush(): void {
    const batch = this.#waiting;
    this.#waiting = [];
    const [cells, version] = [this.#cells, this.#version];
    this.#isFlushing = true;
    this.#process.deliver({
      phase: "disk",
      delayMs: this.#flushMs(),
      run: () => {
        this.#disk.cells = cells;
        this.#disk.version = version;
        this.#isFlushing = false;
        for (const run of batch) run();
        if (this.#waiting.length > 0) this.#flush();
      },
    });
  }

  #write(key: string, value: string | null): number {
    this.#version++;
    this.#cells = new Map(this.#cells).set(key, { value, version: this.#version });
    return this.#version;
  }

  #apply(key: string, operation: RegisterOperation): RegisterResult {
    const cell = this.#cells.get(key) ?? { value: null, version: 0 };
    const { value } = cell;
    if ("version" in operation && (value === null || cell.version !== operation.version)) {
      return { kind: "preconditionFailed" };
    }
    if (operation.kind === "get") {
      return value === null ? { kind: "absent" } : { kind: "value", value, version: cell.version };
    }
    if (operation.kind === "putIfAbsent" && value !== null) return { kind: "preconditionFailed" };
    if (operation.kind === "increment") {
      if (value !== null && !/^\d+$/.test(value)) return { kind: "notAnInteger" };
      const sum = Number(value ?? 0) + operation.by;
      return { kind: "incremented", value: sum, version: this.#write(key, String(sum)) };
    }
    if (operation.kind === "delete" || operation.kind === "deleteIfVersion") {
      if (value === null) return { kind: "deleted", existed: false };
      return { kind: "deleted", existed: true, version: this.#write(key, null) };
    }
    return { kind: "written", version: this.#write(key, operation.value) };
  }
}
