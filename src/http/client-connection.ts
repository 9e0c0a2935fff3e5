/** One client's connection, as the server looks after it, whoever reads it. */
export interface ClientConnection {
  /** Called every `sweepMs`: cuts off a client that stopped sending or taking. */
  sweep(): void;
  /** The server stops: the request in flight is still answered, nothing behind it is begun. */
  stop(): void;
  /** The socket is gone. */
  onClosed(): void;
}
