import { readdirSync, readFileSync, readlinkSync, realpathSync } from "node:fs";
import { isIPv4 } from "node:net";
import { join, sep } from "node:path";

/** A process as its operator would recognise it. */
export interface FoundProcess {
  readonly pid: number;
  readonly parentPid: number;
  readonly command: string;
}

const COMMAND_LENGTH_MAX = 200;
const LISTEN_STATE = "0A";

/**
 * The process that listens on TCP `port` of `host` (on any address when `host` is no IPv4 address). null when it cannot be
 * found: not Linux, another user's process, or gone meanwhile. Like all here it reads /proc synchronously: for error paths
 * and programs only.
 */
export function findListener(port: number, host = ""): FoundProcess | null {
  const tables = ["/proc/net/tcp", "/proc/net/tcp6"];
  const sockets = new Set(tables.flatMap((table) => listeningSockets(table, { port, host })));
  return sockets.size === 0 ? null : findHolder((target) => sockets.has(target));
}

/** A process other than this one that has a file below `directory` open. null as with `findListener`. */
export function findDirectoryUser(directory: string): FoundProcess | null {
  const root = orElse("", () => realpathSync(directory) + sep);
  return root === "" ? null : findHolder((target) => target.startsWith(root), process.pid);
}

/**
 * A process other than this one that may write to one of `paths`, which name files of `directory` by their relative paths,
 * or that has such a file open although it was removed since. null as with `findListener`.
 */
export function findWriter(directory: string, paths: readonly string[]): FoundProcess | null {
  const root = orElse("", () => realpathSync(directory) + sep);
  const names = new Set(paths.flatMap((path) => [root + path, `${root}${path} (deleted)`]));
  return root === "" ? null : findHolder((target, info) => names.has(target) && isWriting(info()), process.pid);
}

/** The process with this id; null when it has gone, or cannot be seen. */
export function findProcess(pid: number): FoundProcess | null {
  // The command's name stands in parentheses and may itself hold any character; what follows it is plain.
  const fields = textOf(`/proc/${pid}/stat`)
    .replace(/^.*\) /s, "")
    .split(" ");
  if (fields.length < 2) return null;
  const words = textOf(`/proc/${pid}/cmdline`).replaceAll("\0", " ").trim();
  const command = words === "" ? "unknown command" : words.slice(0, COMMAND_LENGTH_MAX);
  return { pid, parentPid: Number(fields[1]), command };
}

/** A phrase for messages: `process 4711 (node kv.js serve)`. */
export function processPhrase({ pid, command }: FoundProcess): string {
  return `process ${pid} (${command})`;
}

/** The first process, but for `exceptPid`, that has a descriptor whose link reads as wanted. */
function findHolder(isWanted: (target: string, info: () => string) => boolean, exceptPid = 0): FoundProcess | null {
  for (const name of namesIn("/proc")) {
    if (!/^\d+$/.test(name) || Number(name) === exceptPid) continue;
    const folder = `/proc/${name}/fd`;
    const infoOf = (descriptor: string) => (): string => textOf(`/proc/${name}/fdinfo/${descriptor}`);
    if (namesIn(folder).some((descriptor) => isWanted(linkOf(join(folder, descriptor)), infoOf(descriptor)))) {
      return findProcess(Number(name));
    }
  }
  return null;
}

/** The access mode is in the last two bits of the flags, which are written in octal: 1 to write, 2 to read and write. */
function isWriting(info: string): boolean {
  return /^flags:\s+[0-7]*[1256]$/m.test(info);
}

/** As links in /proc name them: `socket:[12345]`. */
function listeningSockets(table: string, { port, host }: { port: number; host: string }): string[] {
  const hexPort = port.toString(16).toUpperCase().padStart(4, "0");
  const hexHosts = hexAddresses(host);
  return textOf(table)
    .split("\n")
    .map((line) => line.trim().split(/\s+/))
    .filter(([, local = "", , state]) => {
      const [hexHost = "", localPort] = local.split(":");
      return state === LISTEN_STATE && localPort === hexPort && (hexHosts === null || hexHosts.includes(hexHost));
    })
    .flatMap((columns) => (columns[9] === undefined ? [] : [`socket:[${columns[9]}]`]));
}

/** How the kernel's tables name listeners that are in the way of `host`: itself, and all addresses. Null: any may be. */
function hexAddresses(host: string): readonly string[] | null {
  if (!isIPv4(host)) return null;
  const bytes = host.split(".").map((byte) => Number(byte).toString(16).toUpperCase().padStart(2, "0"));
  const hex = bytes.reverse().join("");
  return [hex, `0000000000000000FFFF0000${hex}`, "0".repeat(8), "0".repeat(32)];
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
