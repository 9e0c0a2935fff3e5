import { KvError } from "../model/errors.ts";

/**
 * Bytes of another node do not follow docs/protocol.md. The only error that decoders of this folder throw; whoever
 * meets it closes the connection.
 */
export class ProtocolError extends KvError {
  override readonly name: string = "ProtocolError";

  constructor(message: string) {
    super("PROTOCOL", message);
  }
}
