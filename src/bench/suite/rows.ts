import type { Row } from "./row.ts";
import { HTTP_GET } from "./rows/http-get.ts";
import { HTTP_PUT } from "./rows/http-put.ts";
import { RESP_THROUGHPUT } from "./rows/resp-throughput.ts";

/** All rows, in the order in which they run and are shown. */
export const ROWS: readonly Row[] = [...RESP_THROUGHPUT, HTTP_GET, HTTP_PUT];
