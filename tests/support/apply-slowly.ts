/**
 * A process that applies a log to a tree in small transactions, until it is killed: `apply-slowly.ts DIRECTORY THROUGH`.
 * Says "applying" when it has begun; exits with 0 when there is nothing left.
 */
import { join } from "node:path";
import { NodeDisk } from "../../src/base/node-disk.ts";
import { LogReader } from "../../src/log/log-reader.ts";
import { LogApplier } from "../../src/shard/log-applier.ts";
import { LmdbTree } from "../../src/tree/lmdb-tree.ts";

const [directory = "", through = "0"] = process.argv.slice(2);
const applier = new LogApplier(
  new LogReader(new NodeDisk(), join(directory, "log")),
  new LmdbTree({ path: join(directory, "tree") }),
  { runBytesMax: 500_000, transactionRowsMax: 40, transactionBytesMax: 100_000 },
);
console.log("applying");
while (applier.step(Number(through)).didWrite);
applier.close();
