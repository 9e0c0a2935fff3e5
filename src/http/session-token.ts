import { KvError } from "../model/errors.ts";
import { keyOfText } from "../model/key.ts";
import type { Position, Reply, SeenPosition } from "../model/operation.ts";
import { hashOfKey } from "../model/slot.ts";
import type { Answer } from "./answer.ts";

const FORMAT = "1";
const TOKEN_BYTES_MAX = 512;
const U32_MAX = 0xffff_ffff;
const SHAPE = /^([^.]+)\.([^.]+)\.(\d{1,10})\.(\d{1,10})\.(.+)\.(\d{1,16})$/;

/**
 * Makes and reads session tokens (§2.13): what a client has seen of one shard, for it to send back as it is.
 *
 * A token says of which cluster it is, so that one of another cluster is refused instead of naming some entry of this one. It is
 * no secret, and proves nothing: a forged one can ask for no more than to wait, or to be refused.
 */
export class SessionTokens {
  readonly #cluster: string;

  /** `cluster`: its name. */
  constructor(cluster: string) {
    this.#cluster = BigInt(hashOfKey(keyOfText(cluster))).toString(36);
  }

  encode(shard: string, { lineage, epoch, sequence }: Position): string {
    return `${FORMAT}.${this.#cluster}.${lineage}.${epoch}.${encodeURIComponent(shard)}.${sequence}`;
  }

  /** Throws INVALID_TOKEN. */
  decode(token: string): SeenPosition {
    const parts = token.length <= TOKEN_BYTES_MAX ? SHAPE.exec(token) : null;
    if (parts === null) throw new KvError("INVALID_TOKEN", "The KV-Token is not one that was given in an answer");
    const [, format, cluster, lineage, epoch, shard = "", sequence] = parts;
    if (format !== FORMAT) throw new KvError("INVALID_TOKEN", `KV-Tokens of format ${format} are not known here`);
    if (cluster !== this.#cluster) throw new KvError("INVALID_TOKEN", "The KV-Token is of another cluster");
    const position = { lineage: Number(lineage), epoch: Number(epoch), sequence: Number(sequence) };
    const seen = { shard: decodeShard(shard), ...position };
    const isInRange = seen.lineage <= U32_MAX && seen.epoch <= U32_MAX && Number.isSafeInteger(seen.sequence);
    if (isInRange && this.encode(seen.shard, seen) === token) return seen;
    throw new KvError("INVALID_TOKEN", "The KV-Token was changed since it was given in an answer");
  }

  /** `answer` to a request on one shard, with what its reader has seen then. */
  on(answer: Answer, reply: Reply): Answer {
    if (!reply.ok) return answer;
    const { status, headers, body } = answer;
    return { status, headers: [...headers, "KV-Token", this.encode(reply.answerer.shard, reply.position)], body };
  }
}

function decodeShard(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    throw new KvError("INVALID_TOKEN", "The KV-Token names no shard");
  }
}
