import { rmSync } from "node:fs";
import { join } from "node:path";
import { CoordinatorSession } from "../../../src/cli/documents/coordinator-session.ts";
import { STORE_FILE_NAME } from "../../../src/coordinator/embedded-store.ts";
import { documentKeys, shardKey } from "../../../src/model/document-keys.ts";
import { decodeShardDocument, type ShardDocument } from "../../../src/model/shard-document.ts";
import type { ClusterConfig } from "../../../src/server/config.ts";
import { programCommand, RunningProgram } from "./program.ts";

export interface TestCoordinatorParts {
  /** `host:port` */
  readonly address: string;
  readonly directory: string;
  /** Of a cluster whose coordinator this is. */
  readonly config: ClusterConfig;
}

/** The embedded coordinator of a test cluster: a process that may be killed, stopped, emptied, and spoken to behind the nodes' backs. */
export class TestCoordinator {
  readonly address: string;
  readonly documentsFile: string;
  readonly #directory: string;
  readonly #config: ClusterConfig;
  #program: RunningProgram | null = null;

  constructor({ address, directory, config }: TestCoordinatorParts) {
    this.address = address;
    this.documentsFile = join(directory, STORE_FILE_NAME);
    this.#directory = directory;
    this.#config = config;
  }

  /** Starts the process; resolves when it serves. */
  async start(): Promise<void> {
    const words = ["coordinator", "--listen", this.address, "--data", this.#directory];
    this.#program = new RunningProgram(programCommand("src/cli/kv.ts", words), { withChannel: true });
    await this.#program.waitFor("The coordinator is listening");
  }

  /** `kill -9`, and waits until the process is gone. */
  async kill(): Promise<void> {
    this.#program?.signal("SIGKILL");
    await this.#program?.exited;
  }

  signal(signal: NodeJS.Signals): void {
    this.#program?.signal(signal);
  }

  /** All documents are gone; the process must not run. */
  wipe(): void {
    rmSync(this.#directory, { recursive: true, force: true });
  }

  /** Use of it as a command has it; closed afterwards. */
  async use<Value>(run: (session: CoordinatorSession) => Promise<Value>): Promise<Value> {
    const session = CoordinatorSession.open(this.#config);
    try {
      return await run(session);
    } finally {
      session.close();
    }
  }

  async documentOf(shard: string): Promise<ShardDocument> {
    return decodeShardDocument((await this.#stored(shard)).value);
  }

  /** Writes whatever text over a shard's document, as somebody might who should not. */
  async overwrite(shard: string, value: string): Promise<void> {
    const { revision } = await this.#stored(shard);
    const { cluster } = this.#config.topology;
    await this.use(async (session) => session.swap(shardKey(cluster, shard), revision, value));
  }

  async #stored(shard: string): Promise<{ readonly value: string; readonly revision: string }> {
    const { cluster } = this.#config.topology;
    const documents = await this.use(async (session) => session.list(documentKeys(cluster).prefix));
    const found = documents.get(shardKey(cluster, shard));
    if (found === undefined) throw new Error(`there is no document of ${shard}`);
    return found;
  }
}
