import { isIPv4 } from "node:net";
import { KvError } from "../model/errors.ts";
import type { NodeAddresses } from "../model/topology.ts";
import { parseHostPort } from "./node-address.ts";

/**
 * Refuses to listen where other machines could connect unless that was asked for (interfaces.md §8): a shared secret is
 * there, or `--insecure` was given. Throws CONFIG_INVALID. Names are taken for what others can reach, but `localhost`.
 */
export function checkExposure(
  addresses: NodeAddresses,
  options: { readonly hasSecret: boolean; readonly isInsecure: boolean },
): void {
  if (options.hasSecret || options.isInsecure) return;
  for (const address of [addresses.node, addresses.peer, addresses.resp]) {
    const parsed = parseHostPort(address);
    if (typeof parsed === "object" && isLoopback(parsed.host)) continue;
    throw new KvError(
      "CONFIG_INVALID",
      `${address} can be reached from other machines: give all nodes a shared secret with KV_TOKEN_FILE, or allow it with --insecure`,
    );
  }
}

/** Whether only this machine can reach a host. */
export function isLoopback(host: string): boolean {
  return host === "localhost" || host === "::1" || (isIPv4(host) && host.startsWith("127."));
}
