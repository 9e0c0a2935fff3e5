import { isUtf8 } from "node:buffer";
import { KvError } from "../model/errors.ts";
import { percentDecodeBytes } from "./percent.ts";

const AMPERSAND = 0x26;
const EQUALS = 0x3d;

/**
 * The parameters of one request, from its query and, on the plain paths, its form body.
 *
 * Owns what has not been asked for yet: whoever handles the request takes what it knows, and `refuseRest` answers for the
 * rest, so that no parameter is ever ignored. A name that occurs twice is refused when it is read.
 */
export class Parameters {
  readonly #bytesByName = new Map<string, Buffer>();

  /** Adds `name=value&…` in form encoding. Throws INVALID_ARGUMENT on a malformed, empty or repeated name. */
  add(encoded: Buffer): void {
    let start = 0;
    while (start <= encoded.length) {
      const found = encoded.indexOf(AMPERSAND, start);
      const end = found === -1 ? encoded.length : found;
      this.#addPair(encoded.subarray(start, end));
      start = end + 1;
    }
  }

  /** Whether the parameter was given and has not been taken. */
  has(name: string): boolean {
    return this.#bytesByName.has(name);
  }

  /** Removes and returns the parameter's bytes; undefined when it was not given. */
  takeBytes(name: string): Buffer | undefined {
    const bytes = this.#bytesByName.get(name);
    this.#bytesByName.delete(name);
    return bytes;
  }

  /** The same as a binary string, one character a byte. */
  take(name: string): string | undefined {
    return this.takeBytes(name)?.toString("latin1");
  }

  /** Throws UNKNOWN_PARAMETER when anything was given that nobody took. */
  refuseRest(): void {
    for (const name of this.#bytesByName.keys()) {
      throw new KvError("UNKNOWN_PARAMETER", `The parameter ${JSON.stringify(name)} is not known here`);
    }
  }

  #addPair(pair: Buffer): void {
    const equals = pair.indexOf(EQUALS);
    const nameBytes = percentDecodeBytes(equals === -1 ? pair : pair.subarray(0, equals), true);
    const value = equals === -1 ? Buffer.alloc(0) : percentDecodeBytes(pair.subarray(equals + 1), true);
    if (nameBytes.length === 0) throw new KvError("INVALID_ARGUMENT", "A parameter has no name");
    if (!isUtf8(nameBytes)) throw new KvError("INVALID_ARGUMENT", "A parameter's name is not valid UTF-8");
    const name = nameBytes.toString("utf8");
    if (this.#bytesByName.has(name)) {
      throw new KvError("INVALID_ARGUMENT", `The parameter ${JSON.stringify(name)} is given twice`);
    }
    this.#bytesByName.set(name, value);
  }
}
