import { KvError } from "../model/errors.ts";
import type { RequestHeaders } from "./request-headers.ts";

const AUTHORITY = /^(\[[0-9a-f:.]+\]|[a-z0-9._-]+?)\.?(?::\d{1,5})?$/i;
const LOOPBACK_HOST = /^(?:(?:[a-z0-9-]+\.)*localhost|127(?:\.\d{1,3}){3}|\[::1\])$/;

/** What the connection says about itself, besides what the request claims. */
export interface Arrival {
  readonly httpVersion: string;
  /** The address of this machine that the client connected to; undefined once the socket is gone. */
  readonly localAddress: string | undefined;
}

/**
 * Refuses requests that a web page of another origin makes through its visitor's browser.
 *
 * A database on loopback is reachable by every page the developer opens. Browsers say where a request comes from
 * (`Sec-Fetch-Site`, `Origin`); a page that points its own name at 127.0.0.1 (DNS rebinding) shows in `Host`, which then
 * holds a name that is none of this node's.
 */
export class OriginGuard {
  readonly #ownAuthority: string;
  readonly #ownHosts: ReadonlySet<string>;

  /** `address` is the node's own `host:port`; `hosts` are further names under which clients reach this cluster. */
  constructor(address: string, hosts: readonly string[]) {
    this.#ownAuthority = address.toLowerCase();
    this.#ownHosts = new Set([address.replace(/:\d+$/, ""), ...hosts].map((host) => host.toLowerCase()));
  }

  /** Throws FORBIDDEN_ORIGIN, or BAD_REQUEST when `Host` is missing or malformed. */
  check(headers: RequestHeaders, arrival: Arrival): void {
    const host = headers.get("host");
    if (host === undefined) {
      // Only HTTP/1.0 may leave it out, and no browser speaks that.
      if (arrival.httpVersion !== "1.0") throw new KvError("BAD_REQUEST", "The header Host is missing");
    } else {
      this.#checkHost(host, arrival);
    }
    this.#checkSite(headers.get("sec-fetch-site"));
    this.#checkOrigin(headers.get("origin"), host);
  }

  #checkHost(host: string, arrival: Arrival): void {
    const name = AUTHORITY.exec(host)?.[1]?.toLowerCase();
    if (name === undefined) throw new KvError("BAD_REQUEST", "The header Host is malformed");
    if (LOOPBACK_HOST.test(name) || this.#ownHosts.has(name) || name === hostOfAddress(arrival.localAddress)) return;
    throw new KvError(
      "FORBIDDEN_ORIGIN",
      `This node is not called ${name}; ask it by its address, or list the name among its hosts`,
    );
  }

  #checkSite(site: string | undefined): void {
    if (site === undefined || site === "same-origin" || site === "none") return;
    throw new KvError("FORBIDDEN_ORIGIN", "A web page of another site may not use this database");
  }

  #checkOrigin(origin: string | undefined, host: string | undefined): void {
    if (origin === undefined) return;
    const authority = /^https?:\/\/(.+)$/i.exec(origin)?.[1]?.toLowerCase();
    if (authority !== undefined && (authority === host?.toLowerCase() || authority === this.#ownAuthority)) return;
    throw new KvError("FORBIDDEN_ORIGIN", "A web page of another origin may not use this database");
  }
}

function hostOfAddress(localAddress: string | undefined): string | undefined {
  if (localAddress === undefined) return undefined;
  const plain = localAddress.replace(/^::ffff:(?=\d+\.)/, "");
  return plain.includes(":") ? `[${plain.toLowerCase()}]` : plain;
}
