import type { ByteReader } from "../base/byte-reader.ts";
import type { ByteWriter } from "../base/byte-writer.ts";
import type { Consistency, RequestOptions, SeenPosition } from "../model/operation.ts";
import { isRequestId } from "../model/request-id.ts";
import { ProtocolError } from "./protocol-error.ts";
import { readOne, readText8, writeText8 } from "./record-codec.ts";

const CONSISTENCIES: readonly Consistency[] = ["linearizable", "eventual", "strict"];
const DURABILITIES = [null, "async", "in-sync"] as const;
/** Which of the options follow that most requests leave out. */
const GIVEN = { seen: 1, maxLagMs: 2, requestId: 4 } as const;
const GIVEN_MAX = GIVEN.seen | GIVEN.maxLagMs | GIVEN.requestId;

/** `u8 consistency · u8 durability · u8 given`, then what is given, as docs/protocol.md lays it out. */
export function writeOptions(writer: ByteWriter, options: RequestOptions): void {
  const { seen, maxLagMs, requestId } = options;
  writer.u8(CONSISTENCIES.indexOf(options.consistency));
  writer.u8(DURABILITIES.indexOf(options.durability));
  writer.u8(
    (seen === undefined ? 0 : GIVEN.seen) |
      (maxLagMs === undefined ? 0 : GIVEN.maxLagMs) |
      (requestId === undefined ? 0 : GIVEN.requestId),
  );
  if (seen !== undefined) writeSeen(writer, seen);
  if (maxLagMs !== undefined) writer.u64(maxLagMs);
  if (requestId !== undefined) writeText8(writer, requestId);
}

/** Reads what `writeOptions` wrote. Throws ProtocolError. */
export function readOptions(reader: ByteReader): RequestOptions {
  const consistency = readOne(reader, CONSISTENCIES);
  const durability = readOne(reader, DURABILITIES);
  const given = reader.u8();
  if (given === 0) return { consistency, durability };
  if (given > GIVEN_MAX) throw new ProtocolError(`Options ${given} are not known`);
  return {
    consistency,
    durability,
    ...((given & GIVEN.seen) === 0 ? {} : { seen: readSeen(reader) }),
    ...((given & GIVEN.maxLagMs) === 0 ? {} : { maxLagMs: reader.u64() }),
    ...((given & GIVEN.requestId) === 0 ? {} : { requestId: readRequestId(reader) }),
  };
}

function writeSeen(writer: ByteWriter, seen: SeenPosition): void {
  writeText8(writer, seen.shard);
  writer.u32(seen.lineage);
  writer.u32(seen.epoch);
  writer.u64(seen.sequence);
}

function readSeen(reader: ByteReader): SeenPosition {
  return { shard: readText8(reader), lineage: reader.u32(), epoch: reader.u32(), sequence: reader.u64() };
}

function readRequestId(reader: ByteReader): string {
  const id = readText8(reader);
  if (!isRequestId(id)) throw new ProtocolError("A request id is not 1 to 64 printable ASCII characters");
  return id;
}
