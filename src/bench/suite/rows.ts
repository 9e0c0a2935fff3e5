import type { Row } from "./row.ts";
import { CATCH_UP } from "./rows/catch-up.ts";
import { FORWARDING } from "./rows/forwarding.ts";
import { GROWTH } from "./rows/growth.ts";
import { HTTP_GET } from "./rows/http-get.ts";
import { HTTP_PUT } from "./rows/http-put.ts";
import { IN_SYNC_REPLICATION } from "./rows/in-sync-replication.ts";
import { MANY_SHARDS } from "./rows/many-shards.ts";
import { MEMORY } from "./rows/memory.ts";
import { RESP_THROUGHPUT } from "./rows/resp-throughput.ts";
import { RESTART } from "./rows/restart.ts";
import { TREE_WRITES } from "./rows/tree-writes.ts";
import { VISIBILITY } from "./rows/visibility.ts";

/** All rows, in the order in which they run and are shown. */
export const ROWS: readonly Row[] = [
  ...RESP_THROUGHPUT,
  HTTP_GET,
  HTTP_PUT,
  GROWTH,
  IN_SYNC_REPLICATION,
  FORWARDING,
  CATCH_UP,
  VISIBILITY,
  RESTART,
  MEMORY,
  TREE_WRITES,
  MANY_SHARDS,
];
