import { Agent, type ClientRequestArgs } from "node:http";
import { connect as connectPlainly, isIP, type Socket } from "node:net";
import type { Duplex } from "node:stream";
import { connect as connectSecurely } from "node:tls";

/** How to speak TLS to a coordinator: PEM texts. */
export interface TlsCredentials {
  /** Who may have signed the server's certificate; the system's authorities when there is none. */
  readonly authority: string | undefined;
  readonly certificate: string | undefined;
  readonly key: string | undefined;
}

/** Where one endpoint listens. */
export interface EndpointAddress {
  readonly host: string;
  readonly port: number;
  /** null without TLS. */
  readonly tls: TlsCredentials | null;
}

const KEEP_ALIVE_MS = 5000;

/**
 * Keeps connections to one endpoint.
 *
 * Invariant: a request gets a connection only when that is established and, with TLS, when the server's certificate has been
 * checked. Node's own agents give it before, and then nobody can tell whether some of a request went out when it fails.
 */
export class CheckedAgent extends Agent {
  readonly #address: EndpointAddress;

  /** Requests beyond `socketsMax` at a time wait, unsent, for a connection. */
  constructor(address: EndpointAddress, socketsMax: number) {
    super({ keepAlive: true, maxSockets: socketsMax, scheduling: "lifo" });
    this.#address = address;
  }

  override createConnection(
    _options: ClientRequestArgs,
    callback?: (error: Error | null, stream: Duplex) => void,
  ): undefined {
    const socket = this.#connect();
    let isSettled = false;
    const settle = (error: Error | null): void => {
      if (isSettled) return;
      isSettled = true;
      callback?.(error, socket);
    };
    socket.once(this.#address.tls === null ? "connect" : "secureConnect", () => settle(null));
    // Stays: an error between two listeners of others must not end the process.
    socket.on("error", settle);
    socket.once("close", () => settle(new Error("the connection was closed")));
  }

  #connect(): Socket {
    const { host, port, tls } = this.#address;
    const socket =
      tls === null
        ? connectPlainly({ host, port })
        : connectSecurely({
            host,
            port,
            servername: isIP(host) === 0 ? host : "",
            ALPNProtocols: ["http/1.1"],
            ...(tls.authority === undefined ? {} : { ca: tls.authority }),
            ...(tls.certificate === undefined ? {} : { cert: tls.certificate }),
            ...(tls.key === undefined ? {} : { key: tls.key }),
          });
    socket.setNoDelay(true);
    socket.setKeepAlive(true, KEEP_ALIVE_MS);
    return socket;
  }
}
