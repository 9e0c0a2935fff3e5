import { Socket, type SocketConstructorOpts } from "node:net";

/** Bytes taken from the kernel at once. */
const READ_BYTES = 65_536;
/** All sockets read into it: what has arrived is copied out before anything else is read. */
const readBuffer: Buffer = Buffer.allocUnsafeSlow(READ_BYTES);

/**
 * The accepted connection as a socket that emits its "data" without going through the stream's own buffer, and without a
 * 64 KiB buffer for each read: about a microsecond less for each chunk. In all else it is an ordinary socket: what is put
 * back with `unshift` comes first, and what arrives while it is paused, or before anyone listens, is kept.
 *
 * Node offers this (`onread`) for the sockets that one opens, not for those that a server accepts; so the connection is moved
 * over to a socket made with it. `accepted` must be new, with no listeners, and is not to be used any more. On a Node that
 * does not have what this needs, `accepted` itself is returned.
 */
export function directSocket(accepted: Socket): Socket {
  const handle: unknown = Reflect.get(accepted, "_handle");
  const server: unknown = Reflect.get(accepted, "_server");
  if (!isReadableInto(handle) || typeof server !== "object") return accepted;
  const options: SocketConstructorOpts = {
    allowHalfOpen: accepted.allowHalfOpen,
    onread: { buffer: readBuffer, callback: (byteCount: number): boolean => take(socket, byteCount) },
  };
  Object.assign(options, { handle });
  const socket = new Socket(options);
  Object.assign(socket, { _server: server });
  // It holds nothing any more that it could close, or count as closed.
  Object.assign(accepted, { _handle: null, _server: null });
  return socket;
}

/** False when the socket is to read no more for now. */
function take(socket: Socket, byteCount: number): boolean {
  const chunk = Buffer.allocUnsafe(byteCount);
  readBuffer.copy(chunk, 0, 0, byteCount);
  if (socket.readableFlowing !== true || socket.readableLength > 0) return socket.push(chunk);
  socket.emit("data", chunk);
  return true;
}

function isReadableInto(handle: unknown): boolean {
  return typeof handle === "object" && handle !== null && "useUserBuffer" in handle;
}
