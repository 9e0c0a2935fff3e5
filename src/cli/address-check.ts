import { createServer } from "node:net";
import { setTimeout as sleep } from "node:timers/promises";
import { findListener, findProcess, type FoundProcess, processPhrase } from "../base/process-finder.ts";
import { KvError } from "../model/errors.ts";
import { formatHostPort, parseHostPort, type HostPort } from "../server/node-address.ts";

/** How long nodes whose `kv up` was killed get to end by themselves. */
const ORPHANS_MS_MAX = 8_000;
const PAUSE_MS = 200;

/**
 * Makes sure that every address can be listened on. Throws ADDRESS_IN_USE naming the process that has it, or CONFIG_INVALID
 * with what to do when this machine does not have the address.
 */
export async function checkAddresses(addresses: readonly string[]): Promise<void> {
  const giveUpAtMs = performance.now() + ORPHANS_MS_MAX;
  const missing: string[] = [];
  for (const address of addresses) {
    const hostPort = parseHostPort(address);
    if (typeof hostPort === "string") throw new KvError("CONFIG_INVALID", `${address} ${hostPort}`);
    let code = await listenOnce(hostPort);
    while (
      code === "EADDRINUSE" &&
      isOrphan(findListener(hostPort.port, hostPort.host)) &&
      performance.now() < giveUpAtMs
    ) {
      await sleep(PAUSE_MS);
      code = await listenOnce(hostPort);
    }
    if (code === "EADDRNOTAVAIL") missing.push(hostPort.host);
    else if (code !== null) throw refusal(hostPort, code);
  }
  if (missing.length > 0) throw new KvError("CONFIG_INVALID", missingMessage(missing, process.platform));
}

/** What to do about addresses that this machine does not have; `platform` as in `process.platform`. */
export function missingMessage(hosts: readonly string[], platform: string): string {
  const unique = [...new Set(hosts)];
  const loopback = unique.filter((host) => host.startsWith("127."));
  const start = `this machine does not have the ${unique.length === 1 ? "address" : "addresses"} ${unique.join(", ")}`;
  if (loopback.length === 0 || platform === "linux") {
    return `${start}; change sharding.toml, or run kv serve where they are`;
  }
  const commands = loopback.map((host) => `  sudo ifconfig lo0 alias ${host} up`);
  return [`${start}; make them first (until the next reboot):`, ...commands].join("\n");
}

/** null when it works, else the error's code. */
async function listenOnce({ host, port }: HostPort): Promise<string | null> {
  return new Promise((resolve) => {
    const server = createServer();
    server.once("error", (error) => resolve("code" in error ? String(error.code) : error.message));
    server.listen({ host, port, exclusive: true }, () => server.close(() => resolve(null)));
  });
}

/** A node whose `kv up` has gone: it is about to end by itself. */
function isOrphan(found: FoundProcess | null): boolean {
  if (found === null || !isNode(found)) return false;
  const parent = findProcess(found.parentPid);
  return parent === null || !isUp(parent);
}

function refusal(address: HostPort, code: string): KvError {
  if (code !== "EADDRINUSE") {
    return new KvError("CONFIG_INVALID", `${formatHostPort(address)} cannot be listened on: ${code}`);
  }
  return new KvError("ADDRESS_IN_USE", inUseMessage(address, findListener(address.port, address.host)));
}

function inUseMessage(address: HostPort, found: FoundProcess | null): string {
  const text = formatHostPort(address);
  if (found === null) {
    return `${text} is in use by another process; find it with: lsof -nP -iTCP:${address.port} -sTCP:LISTEN`;
  }
  const parent = isNode(found) ? findProcess(found.parentPid) : null;
  if (parent !== null && isUp(parent)) {
    return `${text} is in use by process ${found.pid} of a cluster that runs already; end it with: kill ${parent.pid}`;
  }
  return `${text} is in use by ${processPhrase(found)}; end it with: kill ${found.pid}`;
}

function isNode({ command }: FoundProcess): boolean {
  return /\bkv\.[tj]s (?:serve|coordinator)\b/.test(command);
}

function isUp({ command }: FoundProcess): boolean {
  return /\bkv\.[tj]s up\b/.test(command);
}
