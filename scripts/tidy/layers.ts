import { posix } from "node:path";
import { type Fault, isSyntaxNode, type SourceFile } from "./source-file.ts";

/** The layer of each folder of src/. A folder imports itself and lower layers; folders of one layer never meet. */
const LAYER_BY_FOLDER: ReadonlyMap<string, number> = new Map([
  ["base", 0],
  ["model", 1],
  ["log", 2],
  ["tree", 2],
  ["wire", 2],
  ["coordinator", 2],
  ["client", 2],
  ["shard", 3],
  ["replication", 4],
  ["node", 5],
  ["http", 6],
  ["resp", 6],
  ["server", 7],
  ["cli", 8],
  ["bench", 8],
]);

const IMPORTING_TYPES = new Set([
  "ImportDeclaration",
  "ExportNamedDeclaration",
  "ExportAllDeclaration",
  "ImportExpression",
  "TSImportType",
]);

/** Reports imports that go up or sideways in the layers, and product code that imports tests or scripts. */
export function checkLayers(file: SourceFile): Fault[] {
  const folder = file.srcFolder;
  if (folder === undefined) return [];
  const layer = LAYER_BY_FOLDER.get(folder);
  if (layer === undefined) {
    return [{ path: file.path, line: 1, message: `src/${folder} is in no layer: add it to scripts/tidy/layers.ts` }];
  }
  const faults: Fault[] = [];
  file.walk((node) => {
    if (!IMPORTING_TYPES.has(node.type) || !isSyntaxNode(node["source"])) return;
    const specifier = node["source"]["value"];
    if (typeof specifier !== "string") return;
    const message = importFault(file, { folder, layer }, specifier);
    if (message !== undefined) faults.push(file.fault(node, message));
  });
  return faults;
}

function importFault(file: SourceFile, from: { folder: string; layer: number }, specifier: string): string | undefined {
  if (!specifier.startsWith(".")) {
    const isNodeOnly = from.folder === "client" && specifier.startsWith("node:") && !file.isTest;
    return isNodeOnly ? `src/client runs in browsers: it may not import ${specifier}` : undefined;
  }
  const target = posix.join(posix.dirname(file.path), specifier);
  const targetFolder = /^src\/([^/]+)\//.exec(target)?.[1];
  if (targetFolder === undefined) {
    return file.isTest ? undefined : `${specifier}: product code imports only from src/`;
  }
  if (targetFolder === from.folder) return undefined;
  const targetLayer = LAYER_BY_FOLDER.get(targetFolder);
  if (targetLayer === undefined || targetLayer < from.layer) return undefined;
  const relation = targetLayer === from.layer ? "is on the same layer" : "is a higher layer";
  return `src/${from.folder} may not import src/${targetFolder}: it ${relation}`;
}
