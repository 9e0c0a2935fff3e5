/**
 * Checks what neither compiler nor linter knows: layers, sizes, banned calls, names and unwanted text. Prints one line
 * a fault and exits with 1 if there is any. A directory may be given; the default is this repository.
 */
import { readFileSync, readdirSync } from "node:fs";
import { join, relative, resolve, sep } from "node:path";
import { checkBannedCalls } from "./tidy/banned-calls.ts";
import { checkLayers } from "./tidy/layers.ts";
import { checkLockFile } from "./tidy/lock-file.ts";
import { checkShape } from "./tidy/shape.ts";
import { type Fault, SourceFile } from "./tidy/source-file.ts";
import { checkText } from "./tidy/text.ts";

const SKIPPED_FOLDERS = new Set([".git", "node_modules", "dist", "data", "coverage"]);
const TEXT_NAME = /\.(ts|js|json|md|toml|sh|ya?ml|html|css)$|^[^.]+$/;
const CODE_NAME = /\.(ts|js)$/;

function main(root: string): void {
  const paths = listFiles(root, root);
  const faults = paths.flatMap((path) => checkFile(path, readFileSync(join(root, path), "utf8")));
  for (const fault of faults) console.log(`${fault.path}:${fault.line}: ${fault.message}`);
  console.log(`${paths.length} files, ${faults.length} faults`);
  if (faults.length > 0) process.exitCode = 1;
}

function checkFile(path: string, text: string): Fault[] {
  const textFaults = checkText({ path, text });
  if (path === "package-lock.json") return [...textFaults, ...checkLockFile({ path, text })];
  if (!CODE_NAME.test(path)) return textFaults;
  const file = new SourceFile(path, text);
  return [...textFaults, ...checkLayers(file), ...checkBannedCalls(file), ...checkShape(file)];
}

function listFiles(root: string, folder: string): string[] {
  return readdirSync(folder, { withFileTypes: true }).flatMap((entry) => {
    const path = join(folder, entry.name);
    if (entry.isDirectory()) return SKIPPED_FOLDERS.has(entry.name) ? [] : listFiles(root, path);
    if (!entry.isFile() || !TEXT_NAME.test(entry.name)) return [];
    return [relative(root, path).split(sep).join("/")];
  });
}

main(resolve(process.argv[2] ?? join(import.meta.dirname, "..")));
