import type { Socket } from "node:net";
import { assert } from "../base/assert.ts";
import { LIMITS } from "../model/limits.ts";
import {
  DEFAULT_OPTIONS,
  type KeyOperation,
  type Reply,
  type RequestOptions,
  type Result,
} from "../model/operation.ts";
import type { RequestSequence } from "../node/gateway.ts";
import { failureOfParts } from "../node/failure-of-parts.ts";
import { isRead } from "../node/operation-traits.ts";
import { type Argument, keyOf, SHORT_BYTES_MAX, textOf } from "./argument.ts";
import { CommandParser, ProtocolFault } from "./command-parser.ts";
import { CommandError } from "./command-error.ts";
import { findCommand } from "./command-table.ts";
import type { Command, CommandContext, Plan, Render, RenderResult, RenderResults } from "./command.ts";
import { UNQUEUED } from "./commands/transaction-commands.ts";
import type { Door, Flushable } from "./door.ts";
import { errorText } from "./error-reply.ts";
import { checkPayload, planExec, wrongWords } from "./exec.ts";
import { crossShard } from "./one-shard.ts";
import { ReplyQueue, type ReplySlot } from "./reply-queue.ts";
import { ReplyWriter } from "./reply-writer.ts";
import type { OpenTransaction, QueuedCommand, Session } from "./session.ts";
import { fits, planOf } from "./subcommands.ts";
import { unknownCommand } from "./unknown-command.ts";

/** Then other connections have their turn. */
const COMMANDS_PER_TURN = 256;
/** While so much waits for a client to take it, nothing more is done for it. */
const OUTGOING_BYTES_HIGH = 1_048_576;
/** Smaller unfinished commands are not counted against what all connections may hold. */
const UNCOUNTED_BYTES_MAX = 65_536;
const EVENTUAL: RequestOptions = { ...DEFAULT_OPTIONS, consistency: "eventual" };

/**
 * One client connection: takes commands out of what arrives, has them carried out, and sends the replies in order.
 *
 * Invariants: commands for one shard are carried out in the order sent, although none waits for another's reply; replies
 * leave in the order of the commands, in one write a turn of the loop; what is read and not answered is bounded, for while
 * something is left in the parser, or the client does not take its replies, nothing more is read. A fault in the bytes is
 * answered, behind all replies that are owed, and ends the connection. A client that is gone costs nothing further.
 */
export class RespConnection implements Flushable {
  readonly session: Session;
  readonly #socket: Socket;
  readonly #door: Door;
  readonly #context: CommandContext;
  readonly #sequence: RequestSequence;
  readonly #parser = new CommandParser();
  readonly #out = new ReplyWriter();
  readonly #queue: ReplyQueue;
  /** A command that waits until everything before it has been answered. */
  #held: readonly Argument[] | null = null;
  /** A command that has the connection to itself is being carried out. */
  #isAlone = false;
  #isWorking = false;
  #isScheduled = false;
  #isFlushDue = false;
  #isPaused = false;
  /** No command is taken any more: the client has left, or sent what is no command. */
  #isEnding = false;
  #isInputOver = false;
  #isOver = false;
  #heldBytes = 0;
  #stalledSweeps = 0;
  #bytesWrittenBefore = 0;

  constructor(socket: Socket, session: Session, door: Door) {
    this.session = session;
    this.#socket = socket;
    this.#door = door;
    this.#context = { ...door, session };
    this.#sequence = door.gateway.sequence();
    this.#queue = new ReplyQueue(this.#out);
    socket.on("data", (chunk: Buffer) => this.#onData(chunk));
    socket.on("drain", () => this.#resumeWork());
    socket.on("end", () => this.#onInputOver());
  }

  /** Says why there is no room, and hangs up. */
  turnAway(text: string): void {
    this.#isEnding = true;
    this.#out.error(text);
    this.#endWhenDone();
  }

  /** The node stops: what is under way is answered, nothing more is taken. */
  stop(): void {
    this.#isEnding = true;
    this.session.isLeaving = true;
    this.#endWhenDone();
  }

  /** The socket is gone. */
  onClosed(): void {
    this.#isOver = true;
    this.session.isLeaving = true;
    this.#count(0);
  }

  /** Called now and then: cuts off a client that takes none of what waits for it during `sweepsMax` calls. */
  sweep(sweepsMax: number): void {
    const { bytesWritten, writableLength, writableEnded } = this.#socket;
    const isStalled =
      (writableLength > 0 || writableEnded) && bytesWritten - writableLength === this.#bytesWrittenBefore;
    this.#bytesWrittenBefore = bytesWritten - writableLength;
    this.#stalledSweeps = isStalled ? this.#stalledSweeps + 1 : 0;
    const isFull = writableLength > LIMITS.outgoingBytesMax || (writableEnded && writableLength === 0);
    if (this.#stalledSweeps >= (isFull ? sweepsMax / 4 : sweepsMax)) this.#socket.destroy();
  }

  /** Sends what has gathered, in one write. */
  flush(): void {
    this.#isFlushDue = false;
    if (this.#isOver || this.#socket.destroyed) return;
    const pieces = this.#out.take();
    const [first] = pieces;
    if (pieces.length === 1 && first !== undefined) this.#socket.write(first);
    else if (pieces.length > 1) {
      this.#socket.cork();
      for (const piece of pieces) this.#socket.write(piece);
      this.#socket.uncork();
    }
    this.session.outgoingBytes = this.#socket.writableLength;
    this.#endWhenDone();
  }

  #onData(chunk: Buffer): void {
    if (this.#isEnding || this.#isOver) return;
    assert(!this.#parser.hasBytes, "nothing is read while something is left to be parsed");
    this.session.lastActiveMs = this.#door.clock.nowMs();
    this.#parser.push(chunk);
    this.#work();
  }

  /** The client sends no more; it may still read. */
  #onInputOver(): void {
    this.#isInputOver = true;
    if (!this.#parser.hasBytes && this.#held === null) this.#isEnding = true;
    this.#endWhenDone();
  }

  /** Carries out what has arrived, as far as it may. Answers that come at once are taken up by the same loop. */
  #work(): void {
    if (this.#isWorking || this.#isOver) return;
    this.#isWorking = true;
    let left = COMMANDS_PER_TURN;
    for (; left > 0 && this.#mayExecute(); left--) {
      const words = this.#held ?? this.#next();
      if (words === null) break;
      this.#held = null;
      this.#execute(words);
    }
    this.#isWorking = false;
    if (left === 0) this.#workSoon();
    this.#pauseOrResume();
    this.#endWhenDone();
  }

  #workSoon(): void {
    if (this.#isScheduled) return;
    this.#isScheduled = true;
    this.#door.timers.soon(() => {
      this.#isScheduled = false;
      this.#work();
    });
  }

  #resumeWork(): void {
    if (!this.#isWorking && !this.#isScheduled && (this.#held !== null || this.#parser.hasBytes)) this.#work();
  }

  #mayExecute(): boolean {
    if (this.#isAlone || this.#isEnding) return false;
    if (this.#held !== null && this.#queue.count > 0) return false;
    return this.#queue.hasRoom && this.#out.byteCount + this.#socket.writableLength < OUTGOING_BYTES_HIGH;
  }

  #next(): readonly Argument[] | null {
    try {
      const words = this.#parser.next();
      this.#count(this.#parser.heldBytes);
      return words;
    } catch (error) {
      if (!(error instanceof ProtocolFault)) throw error;
      this.#door.counters.protocolFaults++;
      this.#fail(`ERR Protocol error: ${error.message}`);
      return null;
    }
  }

  /** Counts what is held of an unfinished command. Who holds much when all together hold too much has to go. */
  #count(bytes: number): void {
    this.session.incomingBytes = bytes;
    const counted = bytes > UNCOUNTED_BYTES_MAX ? bytes : 0;
    if (counted === this.#heldBytes) return;
    const hasRoom = this.#door.hold(counted - this.#heldBytes);
    this.#heldBytes = counted;
    if (!hasRoom && !this.#isOver) this.#fail("TRYAGAIN Too many large commands are being received by this node");
  }

  /** The last reply of this connection. */
  #fail(text: string): void {
    this.#isEnding = true;
    this.#complete(this.#queue.reserve(), (out) => out.error(text));
  }

  #execute(words: readonly Argument[]): void {
    const command = findCommand(words[0]);
    if (this.#queue.count > 0 && (command?.isBarrier === true || command?.isClusterWide === true)) {
      this.#held = words;
      return;
    }
    this.#door.counters.commands++;
    const slot = this.#queue.reserve();
    try {
      if (command === undefined) throw unknownCommand(words);
      this.session.lastCommand = command.name;
      if (!fits(command.arity, words.length)) throw wrongWords(this.session, command.name);
      const plan = planOf(command, words);
      const { transaction } = this.session;
      if (transaction !== null && !UNQUEUED.has(command.name)) {
        this.#enqueue(slot, transaction, command, { plan, words });
      } else if (command.name === "exec") this.#exec(slot);
      else this.#carryOut(slot, plan(words, this.#context));
    } catch (error) {
      if (command?.name !== "exec" && this.session.transaction !== null && !isUnqueued(command)) {
        this.session.transaction.isSpoiled = true;
      }
      this.#refuse(slot, error);
    }
    if (this.session.isLeaving) this.#isEnding = true;
  }

  #refuse(slot: ReplySlot, error: unknown): void {
    const text = errorText(error);
    this.#door.counters.errors++;
    this.#complete(slot, (out) => out.error(text));
  }

  #carryOut(slot: ReplySlot, plan: Plan): void {
    switch (plan.kind) {
      case "answer":
        this.#complete(slot, plan.render);
        return;
      case "one": {
        const { operation, render } = plan;
        if (operation.kind === "setAllAbsent") checkPayload([operation]);
        const read = isRead(operation);
        this.#sequence.execute(operation, this.#optionsFor(read), (reply) => {
          if (!reply.ok) this.#refuse(slot, reply.error);
          else if (reply.result.kind === "failed") this.#refuse(slot, reply.result.error);
          else {
            const { result } = reply;
            if (!read) this.session.writes.set(reply.answerer.shard, reply.position);
            this.#completeResult(slot, render, result);
          }
        });
        return;
      }
      case "many":
        this.#executeMany(slot, plan.operations, plan.render);
        return;
      case "alone":
        this.#isAlone = true;
        plan.run((render) => {
          this.#isAlone = false;
          this.#complete(slot, render);
        });
    }
  }

  #executeMany(slot: ReplySlot, operations: readonly KeyOperation[], render: RenderResults): void {
    checkPayload(operations);
    const read = operations.every((operation) => isRead(operation));
    this.#sequence.executeBatch(operations, this.#optionsFor(read), (replies) => {
      const error = read ? firstError(replies) : failureOfParts(replies);
      const results = replies.flatMap((reply) => (reply.ok ? [reply.result] : []));
      const failed = results.find((result) => result.kind === "failed");
      if (!read) for (const reply of replies) this.#noteWrite(reply);
      if (error !== null) this.#refuse(slot, error);
      else if (failed !== undefined) this.#refuse(slot, failed.error);
      else this.#complete(slot, (out) => render(results, out));
    });
  }

  #exec(slot: ReplySlot): void {
    const execution = planExec(this.#context);
    if (execution.kind === "answer") {
      this.#complete(slot, execution.render);
      return;
    }
    const { batch, render } = execution;
    this.#sequence.transact(batch, DEFAULT_OPTIONS, (reply) => {
      if (!isRead(batch)) this.#noteWrite(reply);
      this.#complete(slot, (out) => render(reply, out));
    });
  }

  /** Takes a command for EXEC. All keys of a transaction live on one shard: what is atomic is one entry of one log. */
  #enqueue(slot: ReplySlot, transaction: OpenTransaction, command: Command, queued: QueuedCommand): void {
    const { words } = queued;
    if (command.isClusterWide === true) {
      const name = command.name.toUpperCase();
      throw new CommandError(`ERR ${name} asks every shard: it has no place in a transaction, which lives on one`);
    }
    for (const key of keysOf(command, words)) {
      const { shard } = this.#door.gateway.leaderOf(key);
      this.session.transactionShard ??= shard;
      if (this.session.transactionShard !== shard) throw crossShard();
    }
    const bytes = words.reduce((sum, word) => sum + word.length, 0);
    const { respQueuedBytesMax, respQueuedCommandsMax } = LIMITS;
    const isFull = transaction.queue.length >= respQueuedCommandsMax;
    if (isFull || transaction.byteCount + bytes > respQueuedBytesMax) {
      const limits = `${respQueuedCommandsMax} commands or ${respQueuedBytesMax} bytes of words`;
      throw new CommandError(`ERR the transaction is too large: no more than ${limits} can be queued`);
    }
    transaction.byteCount += bytes;
    transaction.queue.push(queued);
    this.#complete(slot, (out) => out.simple("QUEUED"));
  }

  #noteWrite(reply: Reply): void {
    if (reply.ok) this.session.writes.set(reply.answerer.shard, reply.position);
  }

  #optionsFor(read: boolean): RequestOptions {
    return read && this.session.isReadOnly ? EVENTUAL : DEFAULT_OPTIONS;
  }

  #completeResult(slot: ReplySlot, render: RenderResult, result: Result): void {
    if (this.#isOver) return;
    this.#out.protocol = this.session.protocol;
    this.#queue.completeResult(slot, render, result);
    this.#flushSoon();
    this.#resumeWork();
  }

  #complete(slot: ReplySlot, render: Render): void {
    if (this.#isOver) return;
    this.#out.protocol = this.session.protocol;
    this.#queue.complete(slot, render);
    this.#flushSoon();
    this.#resumeWork();
  }

  #flushSoon(): void {
    if (this.#isFlushDue) return;
    this.#isFlushDue = true;
    this.#door.flushSoon(this);
  }

  #pauseOrResume(): void {
    // What comes behind the last command is read and dropped, so that the client's end is seen.
    const shouldPause = !this.#isEnding && (this.#parser.hasBytes || this.#held !== null);
    if (shouldPause === this.#isPaused || this.#isOver) return;
    this.#isPaused = shouldPause;
    if (shouldPause) this.#socket.pause();
    else this.#socket.resume();
  }

  #endWhenDone(): void {
    if (this.#isInputOver && !this.#parser.hasBytes && this.#held === null) this.#isEnding = true;
    if (!this.#isEnding || this.#isOver || this.#queue.count > 0 || this.#isAlone) return;
    if (this.#out.byteCount > 0) this.#flushSoon();
    else if (!this.#socket.writableEnded) {
      this.#socket.end();
      this.#pauseOrResume();
    }
  }
}

function isUnqueued(command: Command | undefined): boolean {
  return command !== undefined && UNQUEUED.has(command.name);
}

function firstError(replies: readonly Reply[]): Error | null {
  for (const reply of replies) if (!reply.ok) return reply.error;
  return null;
}

/** The keys among the words of a command; those that are no legal keys are left for its plan to refuse. */
function keysOf({ keys: [first, last, step] }: Command, words: readonly Argument[]): ReturnType<typeof keyOf>[] {
  const keys: ReturnType<typeof keyOf>[] = [];
  if (first === 0) return keys;
  const end = last < 0 ? words.length + last : last;
  for (let at = first; at <= end; at += step) {
    const { length } = textOf(words[at]);
    if (length > 0 && length <= SHORT_BYTES_MAX) keys.push(keyOf(words[at]));
  }
  return keys;
}
