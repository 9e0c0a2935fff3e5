import type { Guard } from "../model/operation.ts";
import type { Position } from "../model/operation.ts";
import type { Argument } from "./argument.ts";
import type { Command } from "./command.ts";
import type { Protocol } from "./reply-writer.ts";

/** A command between MULTI and EXEC, of which only the values of its words may still be wrong. */
export interface QueuedCommand {
  readonly plan: Command["plan"];
  readonly words: readonly Argument[];
}

/** What MULTI has gathered. */
export interface OpenTransaction {
  readonly queue: QueuedCommand[];
  byteCount: number;
  /** One of its commands was refused already, so that EXEC will be. */
  isSpoiled: boolean;
}

/**
 * What one connection is, and has asked to be: the state that commands change. Owned by its connection, which carries out
 * one command at a time as far as this state is concerned.
 */
export class Session {
  readonly id: number;
  readonly remoteAddress: string;
  readonly localAddress: string;
  readonly connectedMs: number;
  lastActiveMs: number;
  lastCommand = "NULL";
  name = "";
  protocol: Protocol = 2;
  isReadOnly = false;
  isNeverEvicted = false;
  /** The connection ends when everything up to now has been answered. */
  isLeaving = false;
  transaction: OpenTransaction | null = null;
  /** What WATCH saw, and the shard of the watched keys. */
  guards: Guard[] = [];
  /** The shard that all keys of WATCH and of the transaction live on. */
  transactionShard: string | null = null;
  /** The last write to each shard, for WAIT. */
  readonly writes: Map<string, Position> = new Map();
  /** Bytes of an unfinished command, and of replies not yet taken: for CLIENT LIST. */
  incomingBytes = 0;
  outgoingBytes = 0;

  constructor(facts: { id: number; remoteAddress: string; localAddress: string; nowMs: number }) {
    this.id = facts.id;
    this.remoteAddress = facts.remoteAddress;
    this.localAddress = facts.localAddress;
    this.connectedMs = facts.nowMs;
    this.lastActiveMs = facts.nowMs;
  }

  endTransaction(): void {
    this.transaction = null;
    this.forgetWatched();
  }

  forgetWatched(): void {
    this.guards = [];
    this.transactionShard = null;
  }

  /** As if the connection were new. */
  reset(): void {
    this.endTransaction();
    this.name = "";
    this.protocol = 2;
    this.isReadOnly = false;
    this.isNeverEvicted = false;
  }
}
