import { execFileSync, spawn } from "node:child_process";

const INSIDE = "KV_CHAOS_INSIDE";
const TOOLS = ["ip", "nsenter", "setpriv", "unshare"] as const;

/** Whether this process is in a lab: in a network and a mount namespace of its own, where it may do as it likes. */
export function isInLab(): boolean {
  return process.env[INSIDE] === "1";
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

/** Runs this program once more, with the same words, inside a lab; gives its exit code. A user without rights is root in there only. */
export async function runInLab(): Promise<number> {
  const words = [...process.execArgv, ...process.argv.slice(1)];
  const command = [...unshareOptions(), "setpriv", "--pdeathsig", "KILL", process.execPath, ...words];
  const child = spawn("unshare", command, { stdio: "inherit", env: { ...process.env, [INSIDE]: "1" } });
  // Ctrl-C reaches the whole group; this process waits for the other's ending.
  const ignore = (): void => {};
  for (const signal of ["SIGINT", "SIGTERM"] as const) {
    process.on(signal, signal === "SIGINT" ? ignore : () => child.kill(signal));
  }
  return new Promise((resolve) => {
    child.once("exit", (code) => resolve(code ?? 1));
    child.once("error", () => resolve(1));
  });
}

function unshareOptions(): string[] {
  const isRoot = process.getuid?.() === 0;
  return [...(isRoot ? [] : ["--user", "--map-root-user"]), "--net", "--mount"];
}
