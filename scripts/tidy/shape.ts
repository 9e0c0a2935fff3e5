import { basename } from "node:path";
import type { Fault, SourceFile } from "./source-file.ts";

const FILE_LINES_MAX = 400;
const FUNCTION_LINES_MAX = 70;
const FUNCTION_TYPES = new Set(["FunctionDeclaration", "FunctionExpression", "ArrowFunctionExpression"]);
const KEBAB_CASE = /^[a-z0-9]+(-[a-z0-9]+)*(\.test|\.d)?\.(ts|js)$/;
const EMPTY_WORDS = new Set(["utils", "util", "helpers", "helper", "common", "manager", "misc", "service"]);

/** Reports files and functions that are too long, names that say nothing, enums and barrels. */
export function checkShape(file: SourceFile): Fault[] {
  return [...checkFileName(file), ...checkFileLength(file), ...checkSyntax(file)];
}

function checkFileName(file: SourceFile): Fault[] {
  const name = basename(file.path);
  const faults: Fault[] = [];
  if (!KEBAB_CASE.test(name)) faults.push({ path: file.path, line: 1, message: "file names are kebab-case" });
  if (name.split(/[.-]/).some((word) => EMPTY_WORDS.has(word))) {
    faults.push({ path: file.path, line: 1, message: "the file's name says nothing: name it for its one export" });
  }
  return faults;
}

function checkFileLength(file: SourceFile): Fault[] {
  if (file.srcFolder === undefined || file.isTest || file.lineCount <= FILE_LINES_MAX) return [];
  const message = `the file has ${file.lineCount} lines, more than ${FILE_LINES_MAX}: split it by what it decides`;
  return [{ path: file.path, line: FILE_LINES_MAX + 1, message }];
}

function checkSyntax(file: SourceFile): Fault[] {
  const faults: Fault[] = [];
  const isProduct = file.srcFolder !== undefined && !file.isTest;
  file.walk((node) => {
    if (node.type === "TSEnumDeclaration") {
      faults.push(file.fault(node, "no enums: use a union of string literals"));
    }
    if (node.type === "ExportAllDeclaration" && file.path !== "src/client/index.ts") {
      faults.push(file.fault(node, "no barrels: import from the file that defines the name"));
    }
    if (!isProduct || !FUNCTION_TYPES.has(node.type)) return;
    const lineCount = file.lineAt(node.end) - file.lineAt(node.start) + 1;
    if (lineCount <= FUNCTION_LINES_MAX) return;
    faults.push(file.fault(node, `the function has ${lineCount} lines, more than ${FUNCTION_LINES_MAX}`));
  });
  return faults;
}
