import { KvError } from "../model/errors.ts";
import { LIMITS } from "../model/limits.ts";
import type { Reply, ReplyCallback, Result, ScanItem, ScanOperation } from "../model/operation.ts";
import type { Shard } from "../model/topology.ts";
import type { ClusterPage, ClusterScan } from "./gateway.ts";

/** Asks one shard for one page; answered exactly once, perhaps before it returns. */
export type FetchPage = (shard: Shard, operation: ScanOperation, done: ReplyCallback) => void;

interface Source {
  readonly shard: Shard;
  items: readonly ScanItem[];
  nextIndex: number;
  /** The shard has rows behind those in `items`. */
  hasMore: boolean;
  isFetching: boolean;
  start: string;
  end: string;
}

/** Keys spread evenly over the shards; this much more than the even part is asked for, so that one page mostly does. */
const SLACK = 1.25;
const SLACK_ROWS = 8;
const PAGE_BYTES_MIN = 65_536;

/**
 * One page of the whole cluster's keys in byte order: a merge of pages of all shards.
 *
 * Owns one buffer a shard. A row is given out only when every shard has either a row waiting or none left, so that none is
 * passed over; a shard whose rows are used up is asked for more. A shard that cannot answer fails the whole page: rows
 * are never left out silently. Each shard's page is atomic by itself (rule R5), the merged page is not.
 */
export class ClusterScanner {
  readonly #scan: ClusterScan;
  readonly #fetch: FetchPage;
  readonly #done: (page: ClusterPage | KvError) => void;
  readonly #sources: readonly Source[];
  readonly #items: ScanItem[] = [];
  #bytes = 0;
  #isFinished = false;
  #isRunning = false;

  constructor(
    scan: ClusterScan,
    shards: readonly Shard[],
    roads: { fetch: FetchPage; done: (page: ClusterPage | KvError) => void },
  ) {
    this.#scan = { ...scan, rowsMax: Math.max(1, Math.min(scan.rowsMax, LIMITS.scanRowsMax)) };
    this.#fetch = roads.fetch;
    this.#done = roads.done;
    this.#sources = shards.map((shard) => ({
      shard,
      items: [],
      nextIndex: 0,
      hasMore: true,
      isFetching: false,
      start: scan.start,
      end: scan.end,
    }));
  }

  /** Fetches and merges until the page is full or no shard has more. Pages that come at once are used by the same loop. */
  run(): void {
    if (this.#isRunning || this.#isFinished) return;
    this.#isRunning = true;
    while (!this.#isFinished) {
      for (const source of this.#sources) {
        if (isUsedUp(source) && source.hasMore && !source.isFetching) this.#fill(source);
      }
      if (this.#isFinished || this.#sources.some((source) => source.isFetching)) break;
      if (this.#sources.some((source) => isUsedUp(source) && source.hasMore)) continue;
      this.#takeNext();
    }
    this.#isRunning = false;
  }

  /** Takes the next row of all, or finishes. */
  #takeNext(): void {
    const source = this.#first();
    const item = source?.items[source.nextIndex];
    if (source === null || item === undefined) {
      this.#finish(null);
      return;
    }
    const bytes = item.key.length + (item.value?.length ?? 0);
    const isFull = this.#items.length >= this.#scan.rowsMax;
    if (isFull || (this.#items.length > 0 && this.#bytes + bytes > LIMITS.scanPageBytesMax)) {
      this.#finish(this.#items.at(-1)?.key ?? null);
      return;
    }
    source.nextIndex++;
    this.#items.push(item);
    this.#bytes += bytes;
    // Rows may follow only if some shard still has one: asking the shards again just to learn that would be a waste.
    if (this.#items.length === this.#scan.rowsMax && this.#sources.some((other) => !isUsedUp(other) || other.hasMore)) {
      this.#finish(item.key);
    }
  }

  /** The source whose next row comes first; null when no rows are left. */
  #first(): Source | null {
    let first: Source | null = null;
    let firstKey = "";
    for (const source of this.#sources) {
      const key = source.items[source.nextIndex]?.key;
      if (key === undefined) continue;
      const isBefore = this.#scan.reverse ? key > firstKey : key < firstKey;
      if (first !== null && !isBefore) continue;
      first = source;
      firstKey = key;
    }
    return first;
  }

  #fill(source: Source): void {
    const { reverse, keysOnly, rowsMax } = this.#scan;
    const rowsLeft = rowsMax - this.#items.length;
    const part = SLACK / this.#sources.length;
    source.isFetching = true;
    const operation: ScanOperation = {
      kind: "scan",
      start: source.start,
      end: source.end,
      reverse,
      keysOnly,
      rowsMax: Math.min(rowsLeft, Math.ceil(rowsLeft * part) + SLACK_ROWS),
      bytesMax: Math.min(LIMITS.scanPageBytesMax, Math.max(PAGE_BYTES_MIN, Math.ceil(LIMITS.scanPageBytesMax * part))),
    };
    this.#fetch(source.shard, operation, (reply) => this.#onPage(source, reply));
  }

  #onPage(source: Source, reply: Reply): void {
    source.isFetching = false;
    if (this.#isFinished) return;
    const page = pageOf(reply, source);
    if (page instanceof KvError) {
      this.#fail(page);
      return;
    }
    source.items = page.items;
    source.nextIndex = 0;
    source.hasMore = page.resume !== null;
    if (page.resume !== null && this.#scan.reverse) source.end = page.resume;
    else if (page.resume !== null) source.start = `${page.resume}\0`;
    this.run();
  }

  #finish(resumeKey: string | null): void {
    this.#isFinished = true;
    this.#done({ items: this.#items, resumeKey });
  }

  #fail(error: KvError): void {
    this.#isFinished = true;
    this.#done(error);
  }
}

function isUsedUp(source: Source): boolean {
  return source.nextIndex >= source.items.length;
}

/** A page that goes on where it began would make the merge ask for ever: it is an error of the answerer. */
function pageOf(reply: Reply, { shard, start, end }: Source): Extract<Result, { kind: "page" }> | KvError {
  if (!reply.ok) return reply.error;
  const { result } = reply;
  if (result.kind === "failed") return result.error;
  const goesOn = result.kind === "page" && (result.resume === null || isWithin(result.resume, start, end));
  if (result.kind === "page" && goesOn) return result;
  return new KvError("UNREACHABLE", `Shard ${shard.name} answered a scan with ${result.kind}, which makes no sense`);
}

function isWithin(key: string, start: string, end: string): boolean {
  return key >= start && (end === "" || key < end);
}
