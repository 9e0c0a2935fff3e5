import { readdirSync, readFileSync, readlinkSync } from "node:fs";

const LISTEN_STATE = "0A";

/**
 * The process that listens on TCP `port`, as a phrase for messages ("process 4711 (node kv.js serve)"); null when it cannot
 * be found: not Linux, another user's process, or gone meanwhile. Reads /proc synchronously: for error paths only.
 */
export function findListener(port: number): string | null {
  const inodes = new Set([...listeningInodes("/proc/net/tcp", port), ...listeningInodes("/proc/net/tcp6", port)]);
  if (inodes.size === 0) return null;
  for (const pid of namesIn("/proc")) {
    if (/^\d+$/.test(pid) && holdsSocket(pid, inodes)) return `process ${pid} (${commandOf(pid)})`;
  }
  return null;
}

function listeningInodes(table: string, port: number): string[] {
  const hexPort = port.toString(16).toUpperCase().padStart(4, "0");
  return textOf(table)
    .split("\n")
    .map((line) => line.trim().split(/\s+/))
    .filter((columns) => columns[1]?.endsWith(`:${hexPort}`) === true && columns[3] === LISTEN_STATE)
    .flatMap((columns) => columns[9] ?? []);
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
