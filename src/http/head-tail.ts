import type { Clock } from "../base/clock.ts";

/**
 * The end of an answer's head: what belongs to the connection and the moment, as Node's own server writes it.
 *
 * Owns the text for the running second: a date costs as much to write as the rest of a head.
 */
export class HeadTail {
  readonly #clock: Clock;
  readonly #keepAliveLine: string;
  #second = -1;
  #date = "";
  #keepAlive = "";

  /** `idleMsMax`: how long the connection may be idle before this side closes it. */
  constructor(clock: Clock, idleMsMax: number) {
    this.#clock = clock;
    this.#keepAliveLine = `Keep-Alive: timeout=${Math.floor(idleMsMax / 1000)}\r\n`;
  }

  /** For a connection that stays open. */
  keepAlive(): string {
    this.#renew();
    return this.#keepAlive;
  }

  /** For a connection that closes behind the answer. */
  close(): string {
    this.#renew();
    return `${this.#date}Connection: close\r\n\r\n`;
  }

  #renew(): void {
    const second = Math.floor(this.#clock.wallMs() / 1000);
    if (second === this.#second) return;
    this.#second = second;
    this.#date = `Date: ${new Date(second * 1000).toUTCString()}\r\n`;
    this.#keepAlive = `${this.#date}Connection: keep-alive\r\n${this.#keepAliveLine}\r\n`;
  }
}
