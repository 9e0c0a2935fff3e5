import { destination, pino, type Logger as Pino } from "pino";
import type { Logger } from "../base/logger.ts";

/**
 * Writes log lines to standard output as JSON, each with `bindings`.
 *
 * Synchronously: the last line before a process ends by its own decision is the one that matters most. A reader that has gone
 * away ends the lines, not the node.
 */
export class PinoLogger implements Logger {
  readonly #bindings: Readonly<Record<string, string>>;
  readonly #pino: Pino;

  constructor(bindings: Readonly<Record<string, string>>) {
    this.#bindings = bindings;
    this.#pino = pino({ base: bindings }, destination({ fd: 1, sync: true }));
  }

  info(message: string, fields: Readonly<Record<string, unknown>> = {}): void {
    this.#pino.info(this.#distinct(fields), message);
  }

  warn(message: string, fields: Readonly<Record<string, unknown>> = {}): void {
    this.#pino.warn(this.#distinct(fields), message);
  }

  error(message: string, fields: Readonly<Record<string, unknown>> = {}): void {
    this.#pino.error(this.#distinct(fields), message);
  }

  /** JSON with a name twice is read differently by different readers: a field that says something else gets a name of its own. */
  #distinct(fields: Readonly<Record<string, unknown>>): Readonly<Record<string, unknown>> {
    const colliding = Object.keys(this.#bindings).filter((name) => name in fields);
    if (colliding.length === 0) return fields;
    const distinct: Record<string, unknown> = { ...fields };
    for (const name of colliding) {
      if (fields[name] !== this.#bindings[name]) distinct[`other_${name}`] = fields[name];
      Reflect.deleteProperty(distinct, name);
    }
    return distinct;
  }
}
