import { NodeDisk } from "../base/node-disk.ts";
import { SystemClock } from "../base/system-clock.ts";
import { EmbeddedServer } from "../coordinator/embedded-server.ts";
import { EmbeddedStore } from "../coordinator/embedded-store.ts";
import { DirectoryLock } from "../log/directory-lock.ts";
import { KvError } from "../model/errors.ts";
import { isLoopback } from "./exposure.ts";
import { formatHostPort, type HostPort } from "./node-address.ts";
import { PinoLogger } from "./pino-logger.ts";
import { ProcessEnding } from "./process-ending.ts";

/** The options of `kv coordinator`. */
export interface RunCoordinatorOptions {
  readonly address: HostPort;
  /** `--data` */
  readonly directory: string;
  readonly isInsecure: boolean;
}

const EXIT_FAILURE = 1;

/**
 * Runs the embedded coordinator as this process, until it is told to stop, as a node is. Resolves when it listens. Every swap
 * that was answered is on disk: it may be killed at any moment. Throws KvError when it cannot start: DIRECTORY_IN_USE,
 * DATA_CORRUPT, UNKNOWN_FORMAT, ADDRESS_IN_USE, CONFIG_INVALID.
 */
export async function runCoordinator({ address, directory, isInsecure }: RunCoordinatorOptions): Promise<void> {
  const name = formatHostPort(address);
  if (!isInsecure && !isLoopback(address.host)) {
    const message = `${name} can be reached from other machines, and the coordinator asks nobody who he is: allow it with --insecure, or use etcd`;
    throw new KvError("CONFIG_INVALID", message);
  }
  const logger = new PinoLogger({ coordinator: name });
  const die = (message: string, error: unknown): void => {
    logger.error(message, { reason: error instanceof Error ? (error.stack ?? error.message) : String(error) });
    process.exit(EXIT_FAILURE);
  };
  process.on("uncaughtException", (error) => die("The coordinator ends: an error that nobody foresaw", error));
  process.on("unhandledRejection", (error) => die("The coordinator ends: a failure that nobody handled", error));
  const ending = new ProcessEnding(logger);
  const disk = new NodeDisk();
  disk.makeDirectory(directory);
  const lock = DirectoryLock.take(directory);
  const store = EmbeddedStore.open(disk, directory);
  const server = new EmbeddedServer({
    store,
    ...address,
    timers: new SystemClock(),
    logger,
    onFatal: (error) => die("The coordinator ends: its storage failed", error),
  });
  await server.listen();
  logger.info("The coordinator is listening", { documents: store.documentCount, directory });
  ending.serve({
    close: async () => {
      await server.close();
      lock.release();
    },
  });
}
