import { KvError } from "../model/errors.ts";
import { carriedValueBytes, keyRowBytes } from "../model/operation-size.ts";
import { LIMITS } from "../model/limits.ts";
import type { BatchOperation, KeyOperation, Reply, Result } from "../model/operation.ts";
import { CommandError, wrongArity } from "./command-error.ts";
import type { CommandContext, Plan, Render } from "./command.ts";
import { errorText } from "./error-reply.ts";
import type { ReplyWriter } from "./reply-writer.ts";
import type { Session } from "./session.ts";

/** One queued command, understood: the operations it takes part with, and how its part of the answer is written. */
interface Part {
  readonly operations: readonly KeyOperation[];
  readonly render: (results: readonly Result[], out: ReplyWriter) => void;
}

/** What EXEC comes to: nothing to ask of any shard, or one batch of one shard. */
export type Execution =
  | { readonly kind: "answer"; readonly render: Render }
  | {
      readonly kind: "batch";
      readonly batch: BatchOperation;
      readonly render: (reply: Reply, out: ReplyWriter) => void;
    };

/**
 * Ends the session's transaction and turns its commands into one batch, which is one entry of the log: all or nothing. A
 * command that fails for itself (wrong words, not an integer) does not keep the others from happening, as in Redis. Throws
 * CommandError when nothing is to be executed.
 */
export function planExec(context: CommandContext): Execution {
  const { session } = context;
  const { transaction, guards } = session;
  if (transaction === null) throw new CommandError("ERR EXEC without MULTI");
  session.endTransaction();
  if (transaction.isSpoiled) {
    throw new CommandError("EXECABORT Transaction discarded because of previous errors.");
  }
  const parts = transaction.queue.map(({ plan, words }) => partOf(() => plan(words, context)));
  const operations = parts.flatMap((part) => part.operations);
  checkPayload(operations);
  if (operations.length === 0 && guards.length === 0) {
    return { kind: "answer", render: (out) => renderParts(parts, [], out) };
  }
  const batch: BatchOperation =
    guards.length === 0 ? { kind: "batch", operations } : { kind: "batch", operations, guards };
  return { kind: "batch", batch, render: (reply, out) => renderReply(parts, reply, out) };
}

/** Too few or too many words spoil the open transaction, whichever command they are of; of EXEC they end it, and what was watched. */
export function wrongWords(session: Session, name: string): CommandError {
  const error = wrongArity(name);
  if (session.transaction !== null) session.transaction.isSpoiled = true;
  if (name !== "exec") return error;
  session.endTransaction();
  return new CommandError(`EXECABORT Transaction discarded because of: ${error.message.replace(/^ERR /, "")}`);
}

/** What one entry cannot hold is refused before it is sent. Throws VALUE_TOO_LARGE. */
export function checkPayload(operations: readonly KeyOperation[]): void {
  let rowBytes = 0;
  let valueBytes = 0;
  for (const operation of operations) {
    rowBytes += keyRowBytes(operation);
    valueBytes += carriedValueBytes(operation);
  }
  const isTooLarge = valueBytes > LIMITS.batchBytesMax || rowBytes + valueBytes > LIMITS.entryPayloadBytesMax;
  if (!isTooLarge && operations.length <= LIMITS.partOperationsMax) return;
  const has = `The request has ${operations.length} operations with ${rowBytes + valueBytes} bytes of keys and values`;
  const holds = `one request holds ${LIMITS.partOperationsMax} operations and ${LIMITS.batchBytesMax} bytes of values`;
  throw new KvError("VALUE_TOO_LARGE", `${has}; ${holds}: send several`);
}

function partOf(plan: () => Plan): Part {
  try {
    const made = plan();
    switch (made.kind) {
      case "answer":
        return { operations: [], render: (_results, out) => made.render(out) };
      case "one":
        return {
          operations: [made.operation],
          render: ([result], out) => {
            if (result !== undefined) made.render(result, out);
          },
        };
      case "many":
        return made;
      case "alone":
        throw new CommandError("ERR the command cannot be part of a transaction");
    }
  } catch (error) {
    const text = errorText(error);
    return { operations: [], render: (_results, out) => out.error(text) };
  }
}

function renderReply(parts: readonly Part[], reply: Reply, out: ReplyWriter): void {
  if (!reply.ok) out.error(errorText(reply.error));
  else if (reply.result.kind === "not-met") out.nullArray();
  else if (reply.result.kind === "batch") renderParts(parts, reply.result.results, out);
  else out.error(`UNKNOWN the shard answered a transaction with ${reply.result.kind}`);
}

function renderParts(parts: readonly Part[], results: readonly Result[], out: ReplyWriter): void {
  out.array(parts.length);
  let at = 0;
  for (const { operations, render } of parts) {
    const own = results.slice(at, at + operations.length);
    at += operations.length;
    const failed = own.find((result) => result.kind === "failed");
    if (failed === undefined) render(own, out);
    else out.error(errorText(failed.error));
  }
}
