import { destination, pino, type Logger as Pino } from "pino";
import type { Logger } from "../base/logger.ts";

/**
 * Writes log lines to standard output as JSON, each with `bindings`.
 *
 * Synchronously: the last line before a process ends by its own decision is the one that matters most. A reader that has gone
 * away ends the lines, not the node.
 */
export class PinoLogger implements Logger {
  readonly #pino: Pino;

  constructor(bindings: Readonly<Record<string, string>>) {
    this.#pino = pino({ base: bindings }, destination({ fd: 1, sync: true }));
  }

  info(message: string, fields: Readonly<Record<string, unknown>> = {}): void {
    this.#pino.info(fields, message);
  }

  warn(message: string, fields: Readonly<Record<string, unknown>> = {}): void {
    this.#pino.warn(fields, message);
  }

  error(message: string, fields: Readonly<Record<string, unknown>> = {}): void {
    this.#pino.error(fields, message);
  }
}
