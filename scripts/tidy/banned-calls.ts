import { type Fault, isSyntaxNode, type SourceFile, type SyntaxNode } from "./source-file.ts";

/** Folders of src/ that may touch time, chance and the outside world: the base, the adapters and the programs. */
const FREE_FOLDERS = new Set(["base", "log", "tree", "wire", "coordinator", "client", "server", "cli", "bench"]);

/** Folders that must stay replayable from a seed: they may not even import a module that does input or output. */
const PURE_FOLDERS = new Set(["model", "shard", "replication", "node"]);

const BANNED_NAMES = new Set([
  "fetch",
  "process",
  "setTimeout",
  "setInterval",
  "setImmediate",
  "clearTimeout",
  "clearInterval",
  "clearImmediate",
]);

const BANNED_MEMBERS = new Set([
  "Date.now",
  "performance.now",
  "performance.timeOrigin",
  "Math.random",
  "crypto.randomUUID",
  "crypto.getRandomValues",
]);

const BANNED_IMPORTED_NAMES = new Set(["randomBytes", "randomUUID", "randomInt", "randomFill", "randomFillSync"]);

const BANNED_MODULES = new Set([
  "node:process",
  "node:timers",
  "node:timers/promises",
  "node:perf_hooks",
  "node:child_process",
]);

const IO_MODULES = new Set([
  "node:cluster",
  "node:dgram",
  "node:dns",
  "node:fs",
  "node:fs/promises",
  "node:http",
  "node:http2",
  "node:https",
  "node:net",
  "node:os",
  "node:tls",
  "node:worker_threads",
]);

/** Reports time, chance, input and output that are not handed in through a constructor. */
export function checkBannedCalls(file: SourceFile): Fault[] {
  const folder = file.srcFolder;
  if (folder === undefined || FREE_FOLDERS.has(folder) || file.isTest) return [];
  const faults: Fault[] = [];
  file.walk((node, parent, field) => {
    const name = bannedName(node, parent, field) ?? bannedImport(node, PURE_FOLDERS.has(folder));
    if (name === undefined) return;
    faults.push(file.fault(node, `${name} may not be used in src/${folder}: take it through the constructor`));
  });
  return faults;
}

function bannedName(node: SyntaxNode, parent: SyntaxNode, field: string): string | undefined {
  if (node.type === "MemberExpression") return bannedMember(node);
  if (node.type === "NewExpression") return isBareDate(node) ? "new Date()" : undefined;
  if (node.type !== "Identifier") return undefined;
  const name = String(node["name"]);
  if (!BANNED_NAMES.has(name) || isOnlyALabel(parent, field)) return undefined;
  return name;
}

/** A property, method or import name that merely reads like a global is none. */
function isOnlyALabel(parent: SyntaxNode, field: string): boolean {
  if (field === "property" && parent.type === "MemberExpression") return parent["computed"] !== true;
  if (field === "key") return parent["computed"] !== true;
  return field === "imported" || field === "exported" || field === "local";
}

function bannedMember(node: SyntaxNode): string | undefined {
  const { object, property } = node;
  if (!isSyntaxNode(object) || !isSyntaxNode(property)) return undefined;
  const owner = object.type === "MemberExpression" && isSyntaxNode(object["property"]) ? object["property"] : object;
  const name = `${String(owner["name"])}.${String(property["name"] ?? property["value"])}`;
  if (BANNED_MEMBERS.has(name)) return name;
  const isGlobal = object.type === "Identifier" && object["name"] === "globalThis";
  const member = String(property["name"] ?? property["value"]);
  return isGlobal && BANNED_NAMES.has(member) ? `globalThis.${member}` : undefined;
}

function isBareDate(node: SyntaxNode): boolean {
  const callee = node["callee"];
  const values = node["arguments"];
  return isSyntaxNode(callee) && callee["name"] === "Date" && Array.isArray(values) && values.length === 0;
}

function bannedImport(node: SyntaxNode, isPure: boolean): string | undefined {
  if (node.type === "ImportSpecifier" && isSyntaxNode(node["imported"])) {
    const name = String(node["imported"]["name"]);
    return BANNED_IMPORTED_NAMES.has(name) && node["importKind"] !== "type" ? name : undefined;
  }
  if (node.type !== "ImportDeclaration" && node.type !== "ImportExpression") return undefined;
  if (node["importKind"] === "type" || !isSyntaxNode(node["source"])) return undefined;
  const specifier = String(node["source"]["value"]);
  return BANNED_MODULES.has(specifier) || (isPure && IO_MODULES.has(specifier)) ? specifier : undefined;
}
