import { readdirSync, readFileSync, readlinkSync } from "node:fs";
import { isIPv4 } from "node:net";

const LISTEN_STATE = "0A";

/**
 * The process that listens on TCP `port` of `host` (on any of its addresses when that is no IPv4 address), as a phrase for messages ("process 4711 (node kv.js serve)"); null when it cannot
 * be found: not Linux, another user's process, or gone meanwhile. Reads /proc synchronously: for error paths only.
 */
export function findListener(port: number, host = ""): string | null {
  const tables = ["/proc/net/tcp", "/proc/net/tcp6"];
  const inodes = new Set(tables.flatMap((table) => listeningInodes(table, { port, host })));
  if (inodes.size === 0) return null;
  for (const pid of namesIn("/proc")) {
    if (/^\d+$/.test(pid) && holdsSocket(pid, inodes)) return `process ${pid} (${commandOf(pid)})`;
  }
  return null;
}

function listeningInodes(table: string, { port, host }: { port: number; host: string }): string[] {
  const hexPort = port.toString(16).toUpperCase().padStart(4, "0");
  const hexHosts = hexAddresses(host);
  return textOf(table)
    .split("\n")
    .map((line) => line.trim().split(/\s+/))
    .filter(([, local = "", , state]) => {
      const [hexHost = "", localPort] = local.split(":");
      return state === LISTEN_STATE && localPort === hexPort && (hexHosts === null || hexHosts.includes(hexHost));
    })
    .flatMap((columns) => columns[9] ?? []);
}

/** How the kernel's tables name listeners that are in the way of `host`: itself, and all addresses. Null: any may be. */
function hexAddresses(host: string): readonly string[] | null {
  if (!isIPv4(host)) return null;
  const bytes = host.split(".").map((byte) => Number(byte).toString(16).toUpperCase().padStart(2, "0"));
  return [bytes.reverse().join(""), "0".repeat(8), "0".repeat(32)];
}

function holdsSocket(pid: string, inodes: ReadonlySet<string>): boolean {
  return namesIn(`/proc/${pid}/fd`).some((descriptor) => {
    const inode = /^socket:\[(\d+)\]$/.exec(linkOf(`/proc/${pid}/fd/${descriptor}`))?.[1];
    return inode !== undefined && inodes.has(inode);
  });
}

function commandOf(pid: string): string {
  const command = textOf(`/proc/${pid}/cmdline`).replaceAll("\0", " ").trim();
  return command === "" ? "unknown command" : command.slice(0, 200);
}

/** Everything below /proc may vanish between two steps: what cannot be read is simply not there. */
function orElse<Value>(fallback: Value, read: () => Value): Value {
  try {
    return read();
  } catch {
    return fallback;
  }
}

function namesIn(directory: string): string[] {
  return orElse<string[]>([], () => readdirSync(directory));
}

function textOf(path: string): string {
  return orElse("", () => readFileSync(path, "utf8"));
}

function linkOf(path: string): string {
  return orElse("", () => readlinkSync(path));
}
