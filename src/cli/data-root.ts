import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { findDirectoryUser, processPhrase } from "../base/process-finder.ts";
import { KvError } from "../model/errors.ts";
import type { NodeName } from "../model/position.ts";
import { JsonMembers } from "./json-members.ts";

const MARKER = "kv-cluster.json";
/** Any of these in a folder says that a node keeps its data there. */
const NODE_FILES: readonly string[] = ["node.json", "lock", "log", "tree"];

/**
 * The directory in which `kv up` keeps the nodes' directories, one each.
 *
 * Owns a marker file that names the cluster. A directory that is not empty and has no such marker is never written to, nor
 * wiped: it is somebody else's.
 */
export class DataRoot {
  readonly path: string;
  readonly #cluster: string;

  constructor(path: string, cluster: string) {
    this.path = path;
    this.#cluster = cluster;
  }

  /** Throws WRONG_DIRECTORY when the directory is not ours, DIRECTORY_IN_USE when a process has files of it open. */
  check(): void {
    if (!existsSync(this.path)) return;
    if (!statSync(this.path).isDirectory()) throw this.#refusal("is a file, not a directory");
    const user = findDirectoryUser(this.path);
    if (user !== null) {
      const who = processPhrase(user);
      throw new KvError("DIRECTORY_IN_USE", `${this.path} is in use by ${who}; end it with: kill ${user.pid}`);
    }
    const names = readdirSync(this.path);
    if (names.length === 0) return;
    if (!names.includes(MARKER)) throw this.#refusal("holds files that are not this database's");
    const owner = this.#readMarker();
    if (owner !== this.#cluster) throw this.#refusal(`holds the data of the cluster ${JSON.stringify(owner)}`);
  }

  /** Makes the directory and its marker. Call `check` before. */
  create(): void {
    mkdirSync(this.path, { recursive: true, mode: 0o700 });
    const marker = join(this.path, MARKER);
    if (!existsSync(marker)) writeFileSync(marker, `${JSON.stringify({ cluster: this.#cluster })}\n`, { flag: "wx" });
  }

  /** Removes the nodes' directories; returns the names of what was left because no node made it. Call `check` before. */
  wipe(): string[] {
    if (!existsSync(this.path)) return [];
    const left: string[] = [];
    for (const name of readdirSync(this.path)) {
      const path = join(this.path, name);
      if (isNodeDirectory(path)) rmSync(path, { recursive: true });
      else if (name !== MARKER) left.push(name);
    }
    return left;
  }

  /** Where the embedded coordinator keeps its documents. No node's directory can have this name: those have a dash. */
  get coordinatorDirectory(): string {
    return join(this.path, "coordinator");
  }

  /** Where a node keeps its data: named for people, by shard and address. */
  directoryOf(shard: string, node: NodeName): string {
    return join(this.path, `${shard}-${node.replaceAll(/[^A-Za-z0-9.]/g, "-")}`);
  }

  #readMarker(): string {
    try {
      return new JsonMembers(MARKER, JSON.parse(readFileSync(join(this.path, MARKER), "utf8"))).text("cluster");
    } catch (error) {
      throw new KvError("WRONG_DIRECTORY", `${join(this.path, MARKER)} is damaged; remove it if the data are ours`, {
        cause: error,
      });
    }
  }

  #refusal(reason: string): KvError {
    return new KvError("WRONG_DIRECTORY", `${this.path} ${reason}; name another directory with --data`);
  }
}

function isNodeDirectory(path: string): boolean {
  if (!statSync(path).isDirectory()) return false;
  const names = readdirSync(path);
  return names.length === 0 || NODE_FILES.some((name) => names.includes(name));
}
