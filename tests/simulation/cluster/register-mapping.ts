import type { KeyOperation, Reply, Result } from "../../../src/model/operation.ts";
import type { Key } from "../../../src/model/key.ts";
import type { Record } from "../../../src/model/record.ts";
import type { Outcome, RegisterOperation, RegisterResult } from "../../support/linearizability/history.ts";

/**
 * Between what the checkers speak of (registers) and what the product does. Values get a tail whose length follows from their
 * text, so that a value that arrives shortened, torn or mixed is told from every value that was ever written.
 */
export class RegisterMapping {
  readonly #tailBytesMax: number;

  constructor(valueBytesMax: number) {
    this.#tailBytesMax = valueBytesMax;
  }

  operation(key: Key, operation: RegisterOperation): KeyOperation {
    switch (operation.kind) {
      case "get":
        return { kind: "get", key };
      case "put":
        return this.#set(key, operation.value, null);
      case "putIfAbsent":
        return this.#set(key, operation.value, { kind: "absent" });
      case "putIfVersion":
        return this.#set(key, operation.value, { kind: "version", version: operation.version });
      case "delete":
        return { kind: "delete", key, condition: null };
      case "deleteIfVersion":
        return { kind: "delete", key, condition: { kind: "version", version: operation.version } };
      case "increment":
        return { kind: "increment", key, by: BigInt(operation.by) };
    }
  }

  outcome(operation: RegisterOperation, reply: Reply): Outcome {
    if (!reply.ok) return { kind: reply.error.outcome === "unknown" ? "unknown" : "notApplied" };
    const { epoch, sequence } = reply.position;
    return { kind: "ok", result: this.result(operation, reply.result), position: { epoch, sequence } };
  }

  result(operation: RegisterOperation, result: Result): RegisterResult {
    switch (result.kind) {
      case "value":
        return { kind: "value", value: this.textOf(result.record), version: result.record.version };
      case "absent":
        return operation.kind === "delete" ? { kind: "deleted", existed: false } : { kind: "absent" };
      case "written":
        return { kind: "written", version: result.version };
      case "deleted":
        return { kind: "deleted", existed: true, version: result.version };
      case "incremented":
        return { kind: "incremented", value: Number(result.value), version: result.version };
      case "not-met":
        return { kind: "preconditionFailed" };
      case "failed":
        return { kind: "notAnInteger" };
      default:
        throw new Error(`A register does not answer "${result.kind}"`);
    }
  }

  /** The register's value; a stored value that nobody can have written comes back as "damaged". */
  textOf({ value }: Pick<Record, "value">): string {
    const stored = value.toString("latin1");
    const text = stored.split(".", 1)[0] ?? "";
    const isWhole = /^-?\d+$/.test(stored) || this.#stored(text) === stored;
    return isWhole ? text : `damaged ${stored.slice(0, 20)}`;
  }

  #set(key: Key, value: string, condition: (KeyOperation & { kind: "set" })["condition"]): KeyOperation {
    const bytes = Buffer.from(this.#stored(value), "latin1");
    const expiry = { kind: "none" } as const;
    // Half of the plain ones read nothing first.
    const blind = condition === null && value.length % 2 === 0 ? ({ isBlind: true } as const) : {};
    return { kind: "set", key, value: bytes, contentType: "", expiry, condition, returnOld: false, ...blind };
  }

  #stored(text: string): string {
    let hash = 7;
    for (let i = 0; i < text.length; i++) hash = (Math.imul(hash, 31) + text.charCodeAt(i)) >>> 0;
    // Half of the values are short, so that small and large entries mix.
    const tail = hash % 2 === 0 ? hash % 24 : (hash >>> 1) % this.#tailBytesMax;
    return text + ".".repeat(1 + tail);
  }
}
