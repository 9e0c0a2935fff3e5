import type { Clock, Timers } from "../base/clock.ts";
import type { Gateway } from "../node/gateway.ts";
import type { AnswerTemplates } from "./answer-template.ts";
import type { ByteBudget } from "./byte-budget.ts";
import type { HeadTail } from "./head-tail.ts";
import type { HttpMetrics } from "./metrics.ts";
import type { OriginGuard } from "./origin-guard.ts";
import type { Router } from "./router.ts";
import type { SessionTokens } from "./session-token.ts";
import type { HttpSettings } from "./settings.ts";

/** What all connections of one server share. */
export interface FrontDoor {
  readonly gateway: Gateway;
  readonly router: Router;
  readonly guard: OriginGuard;
  readonly budget: ByteBudget;
  readonly metrics: HttpMetrics;
  readonly settings: HttpSettings;
  readonly clock: Clock;
  readonly timers: Timers;
  readonly tail: HeadTail;
  readonly templates: AnswerTemplates;
  readonly tokens: SessionTokens;
  /** Whether the node is about to stop: every answer is its connection's last. */
  readonly isLeaving: () => boolean;
}
