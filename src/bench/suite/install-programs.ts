import { spawnSync } from "node:child_process";
import { existsSync } from "node:fs";
import { delimiter, join } from "node:path";

/** Debian's package of each program. */
const PACKAGES: Readonly<Record<string, string>> = {
  "redis-server": "redis-server",
  "redis-benchmark": "redis-tools",
  etcd: "etcd-server",
  wrk: "wrk",
  taskset: "util-linux",
  setpriv: "util-linux",
};

/** Those that are not on the PATH. */
export function missingPrograms(programs: readonly string[]): string[] {
  return [...new Set(programs)].filter((name) => !isInstalled(name));
}

/**
 * Installs the Debian packages of the missing programs. Returns null, or the sentence that tells the person what to do
 * instead.
 */
export function installPrograms(programs: readonly string[], say: (line: string) => void): string | null {
  const packages = [...new Set(programs.map((name) => PACKAGES[name] ?? name))];
  const command = `apt-get install -y ${packages.join(" ")}`;
  if (!isInstalled("apt-get")) return `install ${packages.join(", ")} first: this system has no apt-get`;
  if (process.getuid?.() !== 0) return `not installed: ${programs.join(", ")}; run as root: ${command}`;
  say(`installing ${packages.join(", ")}`);
  // Debian starts the services of fresh packages; the suite starts its own servers, on ports of its own.
  const environment = { ...process.env, DEBIAN_FRONTEND: "noninteractive", RUNLEVEL: "1" };
  const { status, stderr } = spawnSync("apt-get", ["install", "-y", ...packages], {
    env: environment,
    encoding: "utf8",
  });
  if (status === 0 && missingPrograms(programs).length === 0) return null;
  return `${command} failed: ${(stderr ?? "").trim().split("\n").at(-1) ?? ""}`;
}

function isInstalled(name: string): boolean {
  return (process.env["PATH"] ?? "").split(delimiter).some((folder) => existsSync(join(folder, name)));
}
