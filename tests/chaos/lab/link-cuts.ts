import { execFileSync } from "node:child_process";
import type { Direction, LabHost } from "./lab-network.ts";

/** A way to drop what goes from one host to another. */
export interface LinkCuts {
  /** Makes `host` do its part for exactly these cuts. */
  apply(host: LabHost, cuts: readonly Direction[]): void;
  /** Packets dropped at these hosts so far. */
  droppedCount(hosts: readonly LabHost[]): number;
}

const TABLE = "inet lab";

/** Whether the kernel knows nftables. */
export function canUseNft(): boolean {
  try {
    execFileSync("nft", ["list", "ruleset"], { stdio: "ignore" });
    return true;
  } catch {
    return false;
  }
}

/** Rules of nftables: the receiver drops, so that one direction can be cut alone, and counts. */
export class NftRules implements LinkCuts {
  readonly #rules: Map<LabHost, string> = new Map();
  #earlierCount = 0;

  apply(host: LabHost, cuts: readonly Direction[]): void {
    const rules = cuts
      .filter(({ to }) => to === host)
      .map(({ from, lossPercent = 100 }) => {
        const some = lossPercent < 100 ? `numgen random mod 100 < ${lossPercent} ` : "";
        return `ip saddr ${from.address} ${some}counter drop`;
      })
      .join("\n");
    if ((this.#rules.get(host) ?? "") === rules) return;
    this.#earlierCount += this.#countAt(host);
    this.#rules.set(host, rules);
    const chain = `chain arriving {\ntype filter hook input priority 0;\n${rules}\n}`;
    runIn(host, ["nft", "-f", "-"], `table ${TABLE}\ndelete table ${TABLE}\ntable ${TABLE} {\n${chain}\n}\n`);
  }

  droppedCount(hosts: readonly LabHost[]): number {
    return hosts.reduce((sum, host) => sum + this.#countAt(host), this.#earlierCount);
  }

  #countAt(host: LabHost): number {
    if (!this.#rules.has(host)) return 0;
    const listing = runIn(host, ["nft", "list", "table", ...TABLE.split(" ")]);
    return [...listing.matchAll(/counter packets (\d+)/g)].reduce((sum, [, count]) => sum + Number(count), 0);
  }
}

/**
 * Routes into nowhere, where there is no nftables: the sender drops, all packets where only some were to be lost. They are not
 * counted; each route counts as one.
 */
export class BlackholeRoutes implements LinkCuts {
  #routeCount = 0;

  apply(host: LabHost, cuts: readonly Direction[]): void {
    runIn(host, ["ip", "route", "flush", "type", "blackhole"]);
    for (const { from, to } of cuts) {
      if (from !== host) continue;
      runIn(host, ["ip", "route", "add", "blackhole", `${to.address}/32`]);
      this.#routeCount++;
    }
  }

  droppedCount(): number {
    return this.#routeCount;
  }
}

function runIn({ wrapper }: LabHost, words: readonly string[], input = ""): string {
  const [program = "", ...parameters] = [...wrapper, ...words];
  return execFileSync(program, parameters, { input, encoding: "utf8" });
}
