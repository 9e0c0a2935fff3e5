import { execFileSync } from "node:child_process";
import { readFileSync, realpathSync } from "node:fs";
import { cpus, release, totalmem, type } from "node:os";
import type { Surroundings } from "./result.ts";

/** The machine and the versions of everything that takes part; "–" for what is not installed. */
export function readSurroundings(directory: string): Surroundings {
  return {
    cpu: cpus()[0]?.model.trim() ?? "unknown",
    cores: cpus().length,
    memoryGib: Math.round(totalmem() / 2 ** 30),
    kernel: `${type()} ${release()}`,
    disk: fileSystemOf(directory, readFileSync("/proc/self/mounts", "utf8")),
    node: process.version.slice(1),
    redis: versionOf("redis-server", ["--version"], /v=([\d.]+)/),
    etcd: versionOf("etcd", ["--version"], /etcd Version: ([\d.]+)/),
    wrk: versionOf("wrk", ["--version"], /wrk \S*?(\d+(?:\.\d+)+)/),
  };
}

/** The commit that is checked out, marked when the tree differs from it. */
export function readCommit(): string {
  try {
    const commit = execFileSync("git", ["rev-parse", "--short", "HEAD"], { encoding: "utf8" }).trim();
    const changes = execFileSync("git", ["status", "--porcelain", "--untracked-files=no", "--", "src"], {
      encoding: "utf8",
    });
    return changes.trim() === "" ? commit : `${commit} with changes`;
  } catch {
    return "unknown";
  }
}

/** The type of the file system that holds `directory`: the longest mount point that leads to it. */
export function fileSystemOf(directory: string, mounts: string): string {
  const path = realpathSync(directory);
  let best = { point: "", kind: "unknown" };
  for (const line of mounts.split("\n")) {
    const [, point, kind] = line.split(" ");
    if (point === undefined || kind === undefined) continue;
    const holds = point === "/" || path === point || path.startsWith(`${point}/`);
    if (holds && point.length >= best.point.length) best = { point, kind };
  }
  return best.kind;
}

function versionOf(program: string, parameters: readonly string[], pattern: RegExp): string {
  try {
    return pattern.exec(execFileSync(program, [...parameters], { encoding: "utf8", stdio: "pipe" }))?.[1] ?? "–";
  } catch (error) {
    // wrk prints its version and then fails, because it was given no address.
    const printed = typeof error === "object" && error !== null && "stdout" in error ? String(error.stdout) : "";
    return pattern.exec(printed)?.[1] ?? "–";
  }
}
