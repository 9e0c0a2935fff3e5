import type { HostPort } from "../../server/node-address.ts";
import type { Distribution } from "./key-chooser.ts";
import type { WorkloadName } from "./workload.ts";

/** The options of a load, understood and checked. */
export interface LoadPlan {
  /** Nodes by their HTTP addresses. */
  readonly nodes: readonly [HostPort, ...HostPort[]];
  readonly protocol: "http" | "resp";
  /** null: each node has its own. */
  readonly respPort: number | null;
  /** By the node's name, as far as known; for others it is the HTTP port + 2000. */
  readonly respAddresses: ReadonlyMap<string, string>;
  /** Each key goes to the node that leads its shard. */
  readonly isDirect: boolean;
  /** Altogether, or for each leader when keys go there directly. */
  readonly connectionCount: number;
  /** Operations under way on one connection. */
  readonly pipeline: number;
  readonly workload: WorkloadName;
  readonly readFraction: number;
  readonly distribution: Distribution;
  readonly theta: number;
  readonly keyCount: number;
  /** Text; its UTF-8 bytes begin every key. */
  readonly keyPrefix: string;
  readonly valueBytes: number;
  readonly durability: string | null;
  /** Operations a second; null: a closed loop. */
  readonly rate: number | null;
  /** null: until `operationCount` are done. */
  readonly seconds: number | null;
  readonly operationCount: number | null;
  readonly warmupSeconds: number;
  readonly timeoutSeconds: number;
  readonly isPreloading: boolean;
  readonly isThroughFailover: boolean;
  readonly seed: number;
  readonly asJson: boolean;
}
