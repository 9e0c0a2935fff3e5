import { createHmac, timingSafeEqual } from "node:crypto";
import { KvError } from "../model/errors.ts";

const FORMAT = 1;
const SEAL_BYTES = 16;
const CURSOR_TEXT_BYTES_MAX = 2048;

/**
 * Makes and reads scan cursors: the last key of a page, sealed together with the query it belongs to.
 *
 * Any node of the cluster reads what another one made. The seal is no secret (a forged cursor could do nothing that `start`
 * cannot); it makes sure that a cursor that was cut, mixed up, or taken to another query is refused instead of silently
 * giving other rows.
 */
export class CursorCodec {
  readonly #sealKey: string;

  constructor(cluster: string) {
    this.#sealKey = `scan cursor of ${cluster}`;
  }

  /** `shape` is the query in any form that differs where the query does. Keys are binary strings. */
  encode(shape: string, lastKey: string): string {
    const body = Buffer.concat([Buffer.of(FORMAT), Buffer.from(lastKey, "latin1")]);
    return Buffer.concat([this.#seal(shape, body), body]).toString("base64url");
  }

  /** The last key of the page before. Throws INVALID_CURSOR. */
  decode(shape: string, cursor: string): string {
    const bytes = cursor.length > CURSOR_TEXT_BYTES_MAX ? Buffer.alloc(0) : Buffer.from(cursor, "base64url");
    const isCanonical = bytes.length > SEAL_BYTES + 1 && bytes.toString("base64url") === cursor;
    const body = bytes.subarray(SEAL_BYTES);
    if (
      !isCanonical ||
      !timingSafeEqual(bytes.subarray(0, SEAL_BYTES), this.#seal(shape, body)) ||
      body[0] !== FORMAT
    ) {
      throw new KvError(
        "INVALID_CURSOR",
        "The cursor was not made by this cluster for this query: repeat the parameters of the first page beside it",
      );
    }
    return body.subarray(1).toString("latin1");
  }

  #seal(shape: string, body: Buffer): Buffer {
    const mac = createHmac("sha256", this.#sealKey).update(`${shape.length}:`).update(shape, "latin1").update(body);
    return mac.digest().subarray(0, SEAL_BYTES);
  }
}
