import { isIP, isIPv4 } from "node:net";

/** Host and port of a listening socket. An IPv6 host is kept without its brackets. */
export interface HostPort {
  readonly host: string;
  readonly port: number;
}

export const PORT_MAX = 65_535;

const HOST_NAME = /^(?=.{1,253}$)[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?(\.[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?)*$/;

/**
 * Parses `host:port`: an IPv4 address, a host name or an IPv6 address in brackets, and a port from 1 to 65535. Returns the
 * reason as a sentence's end when it is none. Hosts are lower-cased, so that equal nodes have equal names.
 */
export function parseHostPort(text: string): HostPort | string {
  const match = /^(?:\[([^\]]*)\]|([^:[\]]*)):(\d{1,5})$/.exec(text);
  if (match === null) return "must be host:port, as in 127.0.0.2:8080";
  const [, ipv6, name] = match;
  const port = Number(match[3]);
  if (port < 1 || port > PORT_MAX) return `has port ${port}, which is not from 1 to ${PORT_MAX}`;
  const host = (ipv6 ?? name ?? "").toLowerCase();
  if (host === "") return "has no host: other nodes could not reach it";
  if (host === "0.0.0.0" || host === "::") {
    return `stands for all addresses of a machine: name the one at which others reach it, as in 10.0.0.5:${port}`;
  }
  const isHost = ipv6 === undefined ? isIPv4(host) || isHostName(host) : isIP(host) === 6;
  return isHost ? { host, port } : `has host ${JSON.stringify(host)}, which is neither an address nor a host name`;
}

/** What only looks like an IPv4 address (`127.0.0.300`, `1.2.3`) is no host name. */
function isHostName(host: string): boolean {
  return HOST_NAME.test(host) && !/^[\d.]+$/.test(host);
}

/** The inverse of parseHostPort. */
export function formatHostPort({ host, port }: HostPort): string {
  return host.includes(":") ? `[${host}]:${port}` : `${host}:${port}`;
}
