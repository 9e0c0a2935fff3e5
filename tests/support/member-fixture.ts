import { silentLogger } from "../../src/base/logger.ts";
import { SeededRandom } from "../../src/base/random.ts";
import { DiscardedEntries } from "../../src/log/discarded-entries.ts";
import type { LogSizes } from "../../src/log/log-parts.ts";
import { NodeFile } from "../../src/log/node-file.ts";
import { freshNodeState } from "../../src/log/node-state.ts";
import { SegmentedLog } from "../../src/log/segmented-log.ts";
import { SPACE } from "../../src/model/entry.ts";
import { keyOfBinary } from "../../src/model/key.ts";
import type { KvError } from "../../src/model/errors.ts";
import {
  DEFAULT_OPTIONS,
  type Operation,
  type Reply,
  type RequestOptions,
  type SetOperation,
} from "../../src/model/operation.ts";
import type { Leadership } from "../../src/model/leadership.ts";
import type { NodeName } from "../../src/model/position.ts";
import type { PromotionReport, PromotionRequest } from "../../src/model/status.ts";
import type { MemberState } from "../../src/replication/member-environment.ts";
import type { MessageHeaders, MessageType } from "../../src/replication/messages.ts";
import { ShardMember } from "../../src/replication/shard-member.ts";
import { InlineApplier } from "../../src/shard/inline-applier.ts";
import { LogEntries } from "../../src/shard/log-entries.ts";
import { openShardStore } from "../../src/shard/open-shard-store.ts";
import type { ShardStore } from "../../src/shard/shard-store.ts";
import { MemoryTree, MemoryTreeFile } from "../../src/tree/memory-tree.ts";
import type { PeerMessage } from "../../src/wire/peer-network.ts";
import { ManualTimers } from "./manual-timers.ts";
import { SimCrashError, SimDisk } from "./sim-disk.ts";

const DIRECTORY = "/node";
const SHARD = "Delhi";
const CLUSTER = "india";
const SIZES: LogSizes = { segmentBytesFirst: 4096, segmentBytesMax: 16_384, tailBytesMax: 2048 };
const NO_BODY = Buffer.alloc(0);

/** The members of the fixture's shard: the first is the file's leader. */
export const NODES = { a: "a:80", b: "b:80", c: "c:80" } as const;

interface Sent<Type extends MessageType = MessageType> {
  readonly to: NodeName;
  readonly type: Type;
  readonly header: MessageHeaders[Type];
  readonly body: Buffer;
}

export interface MemberFixtureOptions {
  readonly node: NodeName;
  readonly replication?: "async" | "in-sync";
  readonly members?: readonly NodeName[];
  readonly logRetainBytesMax?: number;
  readonly sizes?: LogSizes;
}

/**
 * One member of a shard over a simulated disk, through crashes; the test plays the other members: it reads what was sent and
 * hands in what they say.
 */
export class MemberFixture {
  readonly timers: ManualTimers = new ManualTimers();
  readonly disk: SimDisk;
  readonly treeFile: MemoryTreeFile = new MemoryTreeFile();
  readonly node: NodeName;
  /** Everything the member has sent since this was last emptied. */
  sent: Sent[] = [];
  readonly fatal: Error[] = [];
  /** The next process dies in the middle of the change to its disk that comes after so many. */
  diesAfterChanges: number | null = null;
  /** How long one transaction of the applier takes. */
  transactionMs = 0;
  readonly #options: MemberFixtureOptions;
  readonly #random: SeededRandom = new SeededRandom(5);
  #present: { readonly member: ShardMember; readonly file: NodeFile } | null = null;
  #store: ShardStore | null = null;
  #applier: InlineApplier | null = null;

  constructor(options: MemberFixtureOptions) {
    this.#options = options;
    this.node = options.node;
    this.disk = new SimDisk(this.timers, this.#random.fork("disk"));
  }

  get member(): ShardMember {
    if (this.#present === null) throw new Error("the member is not started");
    return this.#present.member;
  }

  get isStarted(): boolean {
    return this.#present !== null;
  }

  get state(): MemberState {
    if (this.#present === null) throw new Error("the member is not started");
    return this.#present.file.state;
  }

  get store(): ShardStore {
    if (this.#store === null) throw new Error("the log is not recovered");
    return this.#store;
  }

  /** Starts the process; `state` is what its directory remembers, if it is new. */
  start(state: Partial<MemberState> = {}): void {
    if (this.diesAfterChanges !== null) this.disk.crashAfterChanges(this.diesAfterChanges);
    this.diesAfterChanges = null;
    const random = this.#random.fork(`life ${this.disk.life}`);
    const store = { node: this.node, store: `store-${this.node}`, generation: 0 };
    const fresh = freshNodeState(store);
    const identity = { cluster: CLUSTER, shard: SHARD, node: this.node };
    const file =
      NodeFile.open(this.disk, DIRECTORY, identity) ??
      NodeFile.create(this.disk, DIRECTORY, { cluster: CLUSTER, shard: SHARD, state: { ...fresh, ...state } });
    const { timers } = this;
    const network = {
      send: (to: NodeName, message: PeerMessage): boolean => this.#note(to, message),
      request: (): void => {
        throw new Error("a member makes no requests");
      },
    };
    const member = new ShardMember(
      {
        clock: timers,
        timers,
        random,
        logger: silentLogger,
        network,
        stateFile: file,
        discarded: new DiscardedEntries(this.disk, DIRECTORY, timers),
        coordination: null,
        freeBytes: () => this.disk.freeBytes(),
        openStore: (listener, noteDamage) => (this.#store = this.#open({ random, listener, noteDamage })),
      },
      this.#config(),
    );
    this.#present = { member, file };
    member.start();
  }

  /** The process dies and starts again; what it wrote is in the page cache. */
  crash(): void {
    this.timers.clear();
    this.#applier?.crash();
    this.#store?.stop();
    this.#present = null;
    this.disk.crash();
    this.sent = [];
    this.start();
  }

  advance(durationMs: number): void {
    this.timers.advance(durationMs);
  }

  /** Another member says something. */
  hear<Type extends MessageType>(from: NodeName, type: Type, header: MessageHeaders[Type], body?: Buffer): void {
    this.member.onMessage(from, { type, shard: SHARD, header, body: body ?? NO_BODY });
  }

  /** The leader answers the member's last greeting. */
  welcome(from: NodeName, leadership: Leadership, sid = "s"): void {
    const { greeting } = this.last("HELLO").header;
    this.hear(from, "WELCOME", { sid, greeting, leadership, boot: "1" });
  }

  /** All messages of one type sent so far. */
  all<Type extends MessageType>(type: Type): Sent<Type>[] {
    return this.sent.filter((sent): sent is Sent<Type> => sent.type === type);
  }

  /** The last message of one type. */
  last<Type extends MessageType>(type: Type): Sent<Type> {
    const found = this.all(type).at(-1);
    const types = this.sent.map((one) => one.type).join(" ");
    if (found === undefined) throw new Error(`no ${type} was sent; sent: ${types}`);
    return found;
  }

  /** Executes an operation; the answer arrives in the object returned. */
  execute(operation: Operation, options: RequestOptions = DEFAULT_OPTIONS): { reply: Reply | null } {
    const answer: { reply: Reply | null } = { reply: null };
    this.member.execute(operation, options, (reply) => {
      if (answer.reply !== null) throw new Error("an operation is answered once");
      answer.reply = reply;
    });
    return answer;
  }

  set(key: string, text: string, ttlMs = 0): { reply: Reply | null } {
    const expiry: SetOperation["expiry"] = ttlMs === 0 ? { kind: "none" } : { kind: "after", ms: ttlMs };
    const value = Buffer.from(text);
    const condition = null;
    return this.execute({
      kind: "set",
      key: keyOfBinary(key),
      value,
      contentType: "",
      expiry,
      condition,
      returnOld: false,
    });
  }

  promote(request: Partial<PromotionRequest> = {}): { report: PromotionReport | KvError | null } {
    const answer: { report: PromotionReport | KvError | null } = { report: null };
    const whole = {
      shard: SHARD,
      node: this.node,
      dryRun: false,
      acceptDataLoss: false,
      isHandover: false,
      ...request,
    };
    this.member.promote(whole, (report) => {
      if (answer.report !== null) throw new Error("a promotion is answered once");
      answer.report = report;
    });
    return answer;
  }

  /** The text of a user row, committed or not; null when it is not there. */
  read(key: string): string | null {
    return this.store.view.get(SPACE.user, key, Number.MAX_SAFE_INTEGER).record?.value.toString() ?? null;
  }

  #note(to: NodeName, { type, header, body }: PeerMessage): boolean {
    // What a member sends is a message between members, and the header is of its type.
    this.sent.push({ to, type, header, body } as Sent);
    return true;
  }

  #config(): ConstructorParameters<typeof ShardMember>[1] {
    const { members = [NODES.a, NODES.b], replication = "in-sync" } = this.#options;
    return {
      shard: { name: SHARD, index: 0, members: members.map((node) => ({ node, peer: `${node}1`, resp: `${node}2` })) },
      node: this.node,
      replication,
      minInSync: 1,
      logRetainBytes: 0,
      logRetainBytesMax: this.#options.logRetainBytesMax ?? 1_000_000,
      heartbeatMs: 200,
      startupWaitMs: 1000,
      isFirstLeader: this.node === members[0],
    };
  }

  #open(parts: {
    readonly random: SeededRandom;
    readonly listener: Parameters<typeof openShardStore>[1];
    readonly noteDamage: Parameters<typeof openShardStore>[2];
  }): ShardStore {
    const { timers } = this;
    const onFatal = (error: Error): void => {
      if (!(error instanceof SimCrashError)) this.fatal.push(error);
    };
    const openers: Parameters<typeof openShardStore>[0] = {
      clock: timers,
      timers,
      openTree: () => new MemoryTree(this.treeFile),
      openLog: (onCutEnd) =>
        SegmentedLog.open({
          disk: this.disk,
          directory: `${DIRECTORY}/log`,
          timers,
          random: parts.random,
          logger: silentLogger,
          sizes: this.#options.sizes ?? SIZES,
          whenMissing: "create",
          onCutEnd,
          onFatal,
        }),
      makeApplier: ({ log, tree, onApplied }) => {
        this.#applier = new InlineApplier({
          source: new LogEntries(log),
          writer: new MemoryTree(this.treeFile),
          reader: tree,
          clock: timers,
          timers,
          transactionMs: () => this.transactionMs,
          listener: { onApplied, onDiskFull: () => {}, onFatal },
        });
        return this.#applier;
      },
    };
    return openShardStore(openers, parts.listener, parts.noteDamage);
  }
}
