import type { IncomingHttpHeaders } from "node:http";
import { isIP } from "node:net";

const AUTHORITY = /^(?:\[([0-9a-f:.]+)\]|([a-z0-9._-]+))(?::\d{1,5})?$/i;

/**
 * What speaks against a request, as a sentence without its end; null when nothing does.
 *
 * No web page has business with a coordinator, and every page that a developer opens could reach one on loopback. Browsers say that
 * they are browsers (`Origin`, `Sec-Fetch-Site`), and a page that points its own name here shows in `Host`: only addresses,
 * `localhost` and the name listened on are right there.
 */
export function browserFault(headers: IncomingHttpHeaders, ownHost: string): string | null {
  const site = headers["sec-fetch-site"];
  if (headers.origin !== undefined || (site !== undefined && site !== "none")) {
    return "A web page may not use the coordinator";
  }
  const match = AUTHORITY.exec(headers.host ?? "");
  const host = (match?.[1] ?? match?.[2] ?? "").toLowerCase();
  if (host === "") return "The header Host is missing or malformed";
  const isLocalName = host === "localhost" || host.endsWith(".localhost");
  if (isIP(host) !== 0 || isLocalName || host === ownHost.toLowerCase()) return null;
  return `The coordinator is not called ${host}: ask it by its address`;
}
