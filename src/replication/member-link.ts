import type { NodeName } from "../model/position.ts";
import type { PeerNetwork } from "../wire/peer-network.ts";
import type { MessageHeaders, MessageType } from "./messages.ts";

const NO_BYTES = Buffer.alloc(0);

/** How a member talks to the others of its shard: typed headers over the peer network, at most once. */
export class MemberLink {
  readonly #network: PeerNetwork;
  readonly #shard: string;

  constructor(network: PeerNetwork, shard: string) {
    this.#network = network;
    this.#shard = shard;
  }

  /** False when the message was dropped at once. */
  send<Type extends MessageType>(
    to: NodeName,
    type: Type,
    header: MessageHeaders[Type],
    body: Buffer = NO_BYTES,
  ): boolean {
    return this.#network.send(to, { type, shard: this.#shard, header, body });
  }
}
