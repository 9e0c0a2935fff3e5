import { execFileSync, spawn } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

const INSIDE = "KV_CHAOS_INSIDE";
const OUTSIDE_FOLDER = "KV_CHAOS_OUTSIDE_FOLDER";
const TOOLS = ["ip", "nsenter", "setpriv", "unshare"] as const;

/** Whether this process is in a lab: in a network and a mount namespace of its own, where it may do as it likes. */
export function isInLab(): boolean {
  return process.env[INSIDE] === "1";
}

/** Where to put what shall be there when the lab is gone. */
export function folderOutside(): string {
  return process.env[OUTSIDE_FOLDER] ?? tmpdir();
}

/** Why no lab can be made here, as a sentence's end; null when one can. */
export function labMissing(): string | null {
  if (process.platform !== "linux") return "network namespaces need Linux";
  for (const tool of TOOLS) {
    try {
      execFileSync("sh", ["-c", `command -v ${tool}`], { stdio: "ignore" });
    } catch {
      return `${tool} is missing (Debian: apt-get install iproute2 util-linux)`;
    }
  }
  try {
    const probe = "ip link set lo up && ip link add probe type bridge && ip link add probe0 type veth peer name probe1";
    execFileSync("unshare", [...unshareOptions(), "sh", "-c", probe], { stdio: "ignore" });
    return null;
  } catch {
    return "this kernel or this user may not make network namespaces with bridges";
  }
}

/**
 * Runs this program once more, with the same words, inside a lab; gives its exit code. Its temporary files are removed however it
 * ended. A user without rights is root in there only.
 */
export async function runInLab(): Promise<number> {
  const words = [...process.execArgv, ...process.argv.slice(1)];
  const command = [...unshareOptions(), "setpriv", "--pdeathsig", "KILL", process.execPath, ...words];
  const folder = mkdtempSync(join(tmpdir(), "kv-chaos-"));
  const env = { ...process.env, [INSIDE]: "1", [OUTSIDE_FOLDER]: tmpdir(), TMPDIR: folder };
  const child = spawn("unshare", command, { stdio: "inherit", env });
  // Ctrl-C reaches the whole group; this process waits for the other's ending.
  const ignore = (): void => {};
  for (const signal of ["SIGINT", "SIGTERM"] as const) {
    process.on(signal, signal === "SIGINT" ? ignore : () => child.kill(signal));
  }
  const exitCode = await new Promise<number>((resolve) => {
    child.once("exit", (code) => resolve(code ?? 1));
    child.once("error", () => resolve(1));
  });
  // What was killed a moment ago may still be writing.
  rmSync(folder, { recursive: true, force: true, maxRetries: 20, retryDelay: 100 });
  return exitCode;
}

function unshareOptions(): string[] {
  const isRoot = process.getuid?.() === 0;
  return [...(isRoot ? [] : ["--user", "--map-root-user"]), "--net", "--mount"];
}
