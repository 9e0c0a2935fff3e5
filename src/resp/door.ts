import type { Clock, Timers } from "../base/clock.ts";
import type { Random } from "../base/random.ts";
import type { Gateway } from "../node/gateway.ts";
import type { ServerFacts } from "./command.ts";

/** What all connections of one server share. */
export interface Door {
  readonly gateway: Gateway;
  readonly clock: Clock;
  readonly timers: Timers;
  readonly random: Random;
  readonly server: ServerFacts;
  readonly counters: RespCounters;
  /** Calls `flush` of the connection at the end of this turn of the loop; each asks once a turn. */
  flushSoon(connection: Flushable): void;
  /** Whether all connections together may hold `byteCount` more of unfinished commands; less than 0 gives back. */
  hold(byteCount: number): boolean;
}

export interface Flushable {
  flush(): void;
}

/** What the server shows of itself. */
export class RespCounters {
  commands = 0;
  errors = 0;
  protocolFaults = 0;
  turnedAway = 0;
  connections = 0;
}
