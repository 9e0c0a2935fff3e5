/**
 * Compiles src/ to dist/ for the published package, because Node does not strip types below node_modules. Plain
 * JavaScript, because npm runs it with whatever Node the system has. With --if-possible it ends well where the compiler
 * is not installed or finds faults: `npm install` in a checkout, which runs from the sources, must not fail for that.
 */
import { spawnSync } from "node:child_process";
import { existsSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

const root = join(dirname(fileURLToPath(import.meta.url)), "..");
const compiler = join(root, "node_modules/typescript/bin/tsc");
const WORKER_URL = /new URL\("(\.{1,2}\/[^"]+)\.ts", import\.meta\.url\)/g;

const isOptional = process.argv.includes("--if-possible");

function build() {
  if (!existsSync(compiler)) {
    if (isOptional) return 0;
    console.error("build: the compiler is not installed; run npm ci first");
    return 1;
  }
  // Compiled beside and then renamed: a program that starts meanwhile finds the old files or the new ones, whole.
  const fresh = join(root, `dist-${process.pid}`);
  const parameters = [compiler, "-p", join(root, "tsconfig.build.json"), "--outDir", fresh];
  const { status } = spawnSync(process.execPath, parameters, { stdio: "inherit" });
  if (status === 0) {
    for (const path of listJavaScript(fresh)) rewriteWorkerUrls(path);
    rmSync(join(root, "dist"), { recursive: true, force: true });
    renameSync(fresh, join(root, "dist"));
  }
  rmSync(fresh, { recursive: true, force: true });
  if (status !== 0 && isOptional) console.error("build: src/ does not compile; dist/ is as it was");
  return isOptional ? 0 : (status ?? 1);
}

function listJavaScript(folder) {
  return readdirSync(folder, { recursive: true, encoding: "utf8" })
    .filter((name) => name.endsWith(".js"))
    .map((name) => join(folder, name));
}

/** The compiler rewrites imports from .ts to .js, but not the addresses of workers and child processes. */
function rewriteWorkerUrls(path) {
  const text = readFileSync(path, "utf8");
  const rewritten = text.replace(WORKER_URL, 'new URL("$1.js", import.meta.url)');
  if (rewritten !== text) writeFileSync(path, rewritten);
}

process.exitCode = build();
