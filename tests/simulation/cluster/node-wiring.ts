import { join } from "node:path";
import type { Logger } from "../../../src/base/logger.ts";
import type { SeededRandom } from "../../../src/base/random.ts";
import { DiscardedEntries } from "../../../src/log/discarded-entries.ts";
import { LOG_FOLDER, NodeFile } from "../../../src/log/node-file.ts";
import { freshNodeState } from "../../../src/log/node-state.ts";
import { SegmentedLog } from "../../../src/log/segmented-log.ts";
import type { NodeName } from "../../../src/model/position.ts";
import type { Shard } from "../../../src/model/topology.ts";
import { NodeCore } from "../../../src/node/node-core.ts";
import type {
  Coordination,
  MemberEnvironment,
  MemberState,
  MemberStateFile,
} from "../../../src/replication/member-environment.ts";
import { ShardMember } from "../../../src/replication/shard-member.ts";
import { InlineApplier } from "../../../src/shard/inline-applier.ts";
import { LogEntries } from "../../../src/shard/log-entries.ts";
import { openShardStore } from "../../../src/shard/open-shard-store.ts";
import type { ShardStore } from "../../../src/shard/shard-store.ts";
import { MemoryTree, type MemoryTreeFile } from "../../../src/tree/memory-tree.ts";
import type { TreeTransaction } from "../../../src/tree/tree.ts";
import type { SimDisk } from "../../support/sim-disk.ts";
import type { SimProcess } from "../base/sim-process.ts";
import type { SimEndpoint } from "../network/sim-endpoint.ts";
import type { ClusterShape } from "./cluster-shape.ts";
import type { ShardRegistry } from "./shard-registry.ts";

export const DATA_DIRECTORY = "/data";
const LOG_DIRECTORY = join(DATA_DIRECTORY, LOG_FOLDER);
const STARTUP_WAIT_MS = 1000;

/** Thrown where the product would end its process by itself. */
export class ProcessExit extends Error {
  override readonly name: string = "ProcessExit";
}

/** What one start of a node is made of. */
export interface WiringParts {
  readonly node: NodeName;
  readonly shard: Shard;
  readonly shape: ClusterShape;
  /** Null in static mode. */
  readonly registry: ShardRegistry | null;
  readonly disk: SimDisk;
  readonly treeFile: MemoryTreeFile;
  readonly process: SimProcess;
  readonly endpoint: SimEndpoint;
  readonly random: SeededRandom;
  /** Milliseconds that one transaction of the tree takes now. */
  readonly transactionMs: () => number;
  readonly onState: (change: { readonly before: MemberState; readonly after: MemberState }) => void;
  readonly onLog: (level: string, message: string) => void;
  readonly onTransaction: () => void;
  readonly onOpened: (store: ShardStore) => void;
  readonly onApplier: (applier: InlineApplier) => void;
}

/** A tree that tells after every transaction. */
class WatchedTree extends MemoryTree {
  readonly #onTransaction: () => void;

  constructor(file: MemoryTreeFile, onTransaction: () => void) {
    super(file);
    this.#onTransaction = onTransaction;
  }

  override apply(transaction: TreeTransaction): void {
    super.apply(transaction);
    this.#onTransaction();
  }
}

/** Builds one node as the server builds it, from what the simulation hands it. Nothing has been started yet. */
export function wireNode(parts: WiringParts): { readonly member: ShardMember; readonly core: NodeCore } {
  const { node, process, endpoint, random, shape } = parts;
  const { topology, replication } = shape;
  const member = new ShardMember(environmentOf(parts, openFile(parts)), memberConfigOf(parts));
  const core = new NodeCore({
    node,
    topology,
    replication,
    member,
    network: endpoint,
    clock: process,
    timers: process,
    random: random.fork("core"),
  });
  return { member, core };
}

function openFile({ disk, node, shard, shape, random }: WiringParts): NodeFile {
  const { cluster } = shape.topology;
  const identity = { cluster, shard: shard.name, node };
  const store = { node, store: random.uuid(), generation: 0 };
  const state = freshNodeState(store);
  const file = NodeFile.open(disk, DATA_DIRECTORY, identity);
  return file ?? NodeFile.create(disk, DATA_DIRECTORY, { cluster, shard: shard.name, state });
}

function environmentOf(parts: WiringParts, file: NodeFile): MemberEnvironment {
  const { process, random, endpoint, disk } = parts;
  const logger = loggerOf(parts);
  return {
    clock: process,
    timers: process,
    random: random.fork("member"),
    logger,
    network: endpoint,
    stateFile: observedFile(file, parts),
    discarded: new DiscardedEntries(disk, DATA_DIRECTORY, process),
    coordination: coordinationOf(parts),
    freeBytes: () => disk.freeBytes(),
    openStore: (listener, noteDamage) => {
      const store = openShardStore(openersOf(parts, file, logger), listener, noteDamage);
      parts.onOpened(store);
      return store;
    },
  };
}

function coordinationOf({ registry, shape, process, shard }: WiringParts): Coordination | null {
  if (registry === null || shape.coordination === null) return null;
  const { leaseMs, graceMs } = shape.coordination;
  return { coordinator: registry.coordinator.connect(process), key: registry.keyOf(shard), leaseMs, graceMs };
}

function openersOf(parts: WiringParts, file: NodeFile, logger: Logger): Parameters<typeof openShardStore>[0] {
  const { disk, process, random, shape, treeFile } = parts;
  const onFatal = (error: Error): never => {
    throw new ProcessExit(error.message, { cause: error });
  };
  return {
    clock: process,
    timers: process,
    openTree: () => new MemoryTree(treeFile),
    openLog: (onCutEnd) => {
      const opened = SegmentedLog.open({
        disk,
        directory: LOG_DIRECTORY,
        timers: process,
        random: random.fork("log"),
        logger,
        sizes: shape.logSizes,
        whenMissing: file.hasLog ? "refuse" : "create",
        onCutEnd,
        onFatal,
      });
      file.noteLog();
      return opened;
    },
    makeApplier: ({ log, tree, onApplied }) => {
      const applier = new InlineApplier({
        source: new LogEntries(log),
        writer: new WatchedTree(treeFile, parts.onTransaction),
        reader: tree,
        clock: process,
        timers: process,
        transactionMs: parts.transactionMs,
        limits: shape.applyLimits,
        listener: { onApplied, onDiskFull: () => {}, onFatal },
      });
      parts.onApplier(applier);
      return applier;
    },
  };
}

function memberConfigOf({ node, shard, shape }: WiringParts): ConstructorParameters<typeof ShardMember>[1] {
  const { replication, logRetainBytes, logRetainBytesMax, snapshotChunkBytes, heartbeatMs } = shape;
  return {
    shard,
    node,
    replication,
    minInSync: 1,
    logRetainBytes,
    logRetainBytesMax,
    snapshotChunkBytes,
    heartbeatMs,
    startupWaitMs: shape.coordination === null ? STARTUP_WAIT_MS : 0,
    isFirstLeader: shard.members[0]?.node === node,
  };
}

function observedFile(file: NodeFile, { onState }: WiringParts): MemberStateFile {
  return {
    get state() {
      return file.state;
    },
    replace: (after) => {
      const before = file.state;
      file.replace(after);
      onState({ before, after });
    },
  };
}

function loggerOf({ onLog }: WiringParts): Logger {
  const say =
    (level: string) =>
    (message: string, fields: Readonly<Record<string, unknown>> = {}): void =>
      onLog(level, Object.keys(fields).length === 0 ? message : `${message} ${JSON.stringify(fields)}`);
  return { info: say("info"), warn: say("warn"), error: say("error") };
}
