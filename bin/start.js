/**
 * Starts a command of the package. Plain JavaScript for any Node from 20: it only decides which Node and which form of
 * the program to run. In an installed package that is dist/ with this Node, or with the pinned one that came as a
 * dependency when this one is too old; in a checkout (`npm install -g .` merely links it) it is the checkout's own
 * entry script, which installs what is missing and runs the sources.
 */
import { spawn } from "node:child_process";
import { existsSync, realpathSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";

const NODE_MAJOR_MIN = 24;
const root = join(dirname(realpathSync(fileURLToPath(import.meta.url))), "..");

/** `name` is the command's; `program` its path below src/ and dist/, without extension. */
export function start(name, program) {
  if (existsSync(join(root, "src", `${program}.ts`)) && existsSync(join(root, name))) {
    run(join(root, name), process.argv.slice(2));
    return;
  }
  const compiled = join(root, "dist", `${program}.js`);
  if (!existsSync(compiled)) {
    console.error(`${name}: ${compiled} is missing; the package was made without "npm run build"`);
    process.exitCode = 1;
    return;
  }
  if (Number.parseInt(process.versions.node, 10) >= NODE_MAJOR_MIN) {
    process.argv[1] = compiled;
    void import(pathToFileURL(compiled).href);
    return;
  }
  const node = findPinnedNode();
  if (node === undefined) {
    const found = `this is ${process.version} on ${process.platform} ${process.arch}`;
    console.error(`${name}: Node.js ${NODE_MAJOR_MIN} or newer is needed; ${found}`);
    process.exitCode = 1;
    return;
  }
  run(node, [compiled, ...process.argv.slice(2)]);
}

function findPinnedNode() {
  try {
    const require = createRequire(import.meta.url);
    const manifest = require.resolve(`node-${process.platform}-${process.arch}/package.json`);
    const node = join(dirname(manifest), "bin", "node");
    return existsSync(node) ? node : undefined;
  } catch {
    return undefined;
  }
}

/** Runs the real program in this terminal; signals reach it, and its end is ours. */
function run(command, parameters) {
  const child = spawn(command, parameters, { stdio: "inherit" });
  for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"]) {
    // The terminal sends Ctrl-C to the child as well: only what was sent to this process alone is passed on.
    process.on(signal, () => {
      if (signal !== "SIGINT" || !process.stdin.isTTY) child.kill(signal);
    });
  }
  child.once("error", (error) => {
    console.error(`cannot run ${command}: ${error.message}`);
    process.exitCode = 1;
  });
  child.once("exit", (code, signal) => {
    if (signal !== null) {
      process.removeAllListeners(signal);
      process.kill(process.pid, signal);
      return;
    }
    process.exit(code ?? 1);
  });
}
