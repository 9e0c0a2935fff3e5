import { readdirSync, readFileSync, readlinkSync, realpathSync } from "node:fs";
import { isIPv4 } from "node:net";
import { join, sep } from "node:path";
import type { HostPort } from "../server/node-address.ts";

/** A process as its operator would recognise it. */
export interface FoundProcess {
  readonly pid: number;
  readonly parentPid: number;
  readonly command: string;
}

const COMMAND_LENGTH_MAX = 160;
const LISTENING = "0A";

/**
 * The process that listens on an address, or on all addresses with its port. Linux only, and only processes of this user are
 * seen: null means that none was found, not that there is none.
 */
export function findListener(address: HostPort): FoundProcess | null {
  const inodes = listeningInodes(address);
  if (inodes.size === 0) return null;
  return findProcess((target) => inodes.has(target));
}

/** A process other than this one that has a file below `directory` open. As `findListener`. */
export function findDirectoryUser(directory: string): FoundProcess | null {
  let root: string;
  try {
    root = realpathSync(directory) + sep;
  } catch {
    return null;
  }
  return findProcess((target) => target.startsWith(root));
}

/** The process with this id; null when it has gone, or cannot be seen. */
export function describeProcess(pid: number): FoundProcess | null {
  try {
    const words = readFileSync(`/proc/${pid}/cmdline`, "utf8")
      .split("\0")
      .filter((word) => word !== "");
    // The command's name stands in parentheses and may itself hold any character; what follows it is plain.
    const fields = readFileSync(`/proc/${pid}/stat`, "latin1")
      .replace(/^.*\) /s, "")
      .split(" ");
    const command = words.join(" ");
    const isLong = command.length > COMMAND_LENGTH_MAX;
    return {
      pid,
      parentPid: Number(fields[1]),
      command: isLong ? `${command.slice(0, COMMAND_LENGTH_MAX)}…` : command,
    };
  } catch {
    return null;
  }
}

function findProcess(holds: (target: string) => boolean): FoundProcess | null {
  for (const name of listDirectory("/proc")) {
    const pid = /^\d+$/.test(name) ? Number(name) : 0;
    if (pid === 0 || pid === process.pid) continue;
    const folder = `/proc/${pid}/fd`;
    if (listDirectory(folder).some((descriptor) => holds(linkTarget(join(folder, descriptor))))) {
      return describeProcess(pid);
    }
  }
  return null;
}

/** Descriptors of listening sockets, as the links in /proc name them: `socket:[12345]`. */
function listeningInodes({ host, port }: HostPort): ReadonlySet<string> {
  const wantedPort = port.toString(16).toUpperCase().padStart(4, "0");
  const wantedHosts = new Set(["00000000", "0".repeat(32), ...hexHosts(host)]);
  const found = new Set<string>();
  for (const table of ["/proc/net/tcp", "/proc/net/tcp6"]) {
    for (const line of readLines(table)) {
      const [, local = "", , state, , , , , , inode = ""] = line.trim().split(/\s+/);
      const [lineHost = "", linePort] = local.split(":");
      if (state === LISTENING && linePort === wantedPort && wantedHosts.has(lineHost)) found.add(`socket:[${inode}]`);
    }
  }
  return found;
}

/** An IPv4 address as the kernel's tables have it: bytes in the machine's order, also as mapped into IPv6. */
function hexHosts(host: string): string[] {
  if (!isIPv4(host)) return [];
  const hex = host
    .split(".")
    .reverse()
    .map((part) => Number(part).toString(16).toUpperCase().padStart(2, "0"))
    .join("");
  return [hex, `0000000000000000FFFF0000${hex}`];
}

function readLines(path: string): string[] {
  try {
    return readFileSync(path, "latin1").split("\n").slice(1);
  } catch {
    return [];
  }
}

function listDirectory(path: string): string[] {
  try {
    return readdirSync(path);
  } catch {
    return [];
  }
}

function linkTarget(path: string): string {
  try {
    return readlinkSync(path);
  } catch {
    return "";
  }
}
