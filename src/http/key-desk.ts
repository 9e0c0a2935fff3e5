import type { Gateway } from "../node/gateway.ts";
import type { SessionTokens } from "./session-token.ts";

/** What requests about keys need: whom to ask, and how what was seen is written down. */
export interface KeyDesk {
  readonly gateway: Gateway;
  readonly tokens: SessionTokens;
}
