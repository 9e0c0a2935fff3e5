import { parentPort } from "node:worker_threads";
import { assert, unreachable } from "../base/assert.ts";
import { plantMutant } from "../base/mutants.ts";
import { NodeDisk } from "../base/node-disk.ts";
import { SystemClock } from "../base/system-clock.ts";
import { LogReader } from "../log/log-reader.ts";
import { KvError } from "../model/errors.ts";
import { ApplierLoop } from "../shard/applier-loop.ts";
import { LogApplier } from "../shard/log-applier.ts";
import { LmdbTree } from "../tree/lmdb-tree.ts";
import type { FromApplier, ToApplier } from "./applier-messages.ts";

/*
 * The applier's thread: reads the log's files itself and writes the tree, so that the shard's thread pays nothing for it.
 * Started by `WorkerApplier`, which hands it its place in the first message.
 */

const REST_MS_MAX = 50;
const REST_SHARE = 0.1;

assert(parentPort !== null, "this file is started as a worker thread");
const port = parentPort;
const clock = new SystemClock();
let loop: ApplierLoop | null = null;

port.on("message", (message: ToApplier) => receive(message));

function receive(message: ToApplier): void {
  if (message.kind === "start") {
    for (const id of message.mutants) plantMutant(id);
    loop = makeLoop(message.logDirectory, message.treePath);
    return;
  }
  assert(loop !== null, "the first message starts the applier");
  const done = (): void => tell({ kind: "done" });
  switch (message.kind) {
    case "applyThrough":
      loop.applyThrough(message.sequence);
      break;
    case "wipe":
      loop.wipe(done);
      break;
    case "importChunk": {
      const { imported, bytes } = message;
      loop.importChunk({ ...imported, chunk: { ...imported.chunk, bytes: Buffer.from(bytes.buffer) } }, done);
      break;
    }
    case "setBase":
      loop.setBase(message.base, done);
      break;
    case "close":
      loop.close(() => port.close());
      break;
    default:
      unreachable(message);
  }
}

function makeLoop(logDirectory: string, treePath: string): ApplierLoop {
  return new ApplierLoop({
    applier: new LogApplier(new LogReader(new NodeDisk(), logDirectory), new LmdbTree({ path: treePath })),
    clock,
    timers: clock,
    // The disk and the caches are shared with those who serve reads: leave them a little.
    restMs: (transactionMs) => Math.min(REST_MS_MAX, transactionMs * REST_SHARE),
    listener: {
      onApplied: (sequence) => tell({ kind: "applied", sequence }),
      onDiskFull: (isFull) => tell({ kind: "diskFull", isFull }),
      onFatal: (error) =>
        tell({
          kind: "fatal",
          message: error.message,
          stack: error.stack ?? "",
          wire: error instanceof KvError ? error.kind.wire : null,
        }),
    },
  });
}

function tell(message: FromApplier): void {
  port.postMessage(message);
}
