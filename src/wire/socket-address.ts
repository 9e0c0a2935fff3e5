import { BlockList, isIP } from "node:net";

export interface SocketAddress {
  readonly host: string;
  readonly port: number;
  /** Whether `host` is a literal loopback address. */
  readonly isLoopback: boolean;
}

const LOOPBACK: BlockList = new BlockList();
LOOPBACK.addSubnet("127.0.0.0", 8, "ipv4");
LOOPBACK.addAddress("::1", "ipv6");

/** Takes `host:port` (an IPv6 host in brackets) apart; null when it is not of that form. */
export function socketAddressOf(address: string): SocketAddress | null {
  const match = /^(?:\[([0-9a-fA-F:.]+)\]|([^:[\]]+)):(\d{1,5})$/.exec(address);
  const host = match?.[1] ?? match?.[2];
  const port = Number(match?.[3]);
  if (host === undefined || !(port <= 65_535)) return null;
  const family = isIP(host);
  const isLoopback = family !== 0 && LOOPBACK.check(host, family === 4 ? "ipv4" : "ipv6");
  return { host, port, isLoopback };
}
