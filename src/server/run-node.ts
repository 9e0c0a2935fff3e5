import { KvError } from "../model/errors.ts";
import type { ClusterConfig } from "./config.ts";
import { loadConfig } from "./config.ts";
import { findOwnNode, type OwnNodeOptions } from "./own-node.ts";
import { readPeerSecret } from "./peer-secret.ts";
import { PinoLogger } from "./pino-logger.ts";
import { ProcessEnding } from "./process-ending.ts";
import { startServer } from "./start-server.ts";

/** The options of `kv serve`. */
export interface RunNodeOptions extends OwnNodeOptions {
  readonly configFile: string;
  /** `--db-location` */
  readonly directory: string;
  readonly isInsecure: boolean;
  /** Started by `kv up` along with all other nodes: worth waiting for them (rule T3). */
  readonly isStartedTogether: boolean;
}

const STARTUP_WAIT_MS = 1000;
const STARTUP_WAIT_TOGETHER_MS = 10_000;
const EXIT_FAILURE = 1;

/**
 * Runs one node as this process, until it is told to stop. Resolves when the node listens; from then on this function's
 * handlers end the process:
 *
 * - SIGTERM (or SIGINT by hand, or the parent's word or death): answers what is under way, closes, exit code 0.
 * - the same once more: exit at once, 143. What was answered is on disk.
 * - SIGINT with a parent process on the channel: ignored, since a terminal sends it to the whole group and the parent decides.
 * - SIGHUP: noted; there is nothing to load again. SIGPIPE: ignored by the runtime.
 * - failed storage, an exception or rejection that nobody caught: logged, exit code 1, nothing more is answered.
 *
 * Throws KvError when the node cannot start: CONFIG_INVALID, DIRECTORY_IN_USE, WRONG_DIRECTORY, ADDRESS_IN_USE …
 */
export async function runNode(options: RunNodeOptions): Promise<void> {
  const config: ClusterConfig = loadConfig(options.configFile);
  const own = findOwnNode(config, options);
  const peerSecret = readPeerSecret(process.env["KV_TOKEN_FILE"]);
  const logger = new PinoLogger({ node: own.addresses.node, shard: own.shard.name });
  const die = (message: string, error: unknown): void => {
    logger.error(message, describe(error));
    process.exit(EXIT_FAILURE);
  };
  process.on("uncaughtException", (error) => die("The node ends: an error that nobody foresaw", error));
  process.on("unhandledRejection", (error) => die("The node ends: a failure that nobody handled", error));
  const ending = new ProcessEnding(logger);
  const server = await startServer({
    config,
    own,
    directory: options.directory,
    peerSecret,
    isInsecure: options.isInsecure,
    startupWaitMs: options.isStartedTogether ? STARTUP_WAIT_TOGETHER_MS : STARTUP_WAIT_MS,
    logger,
    onFatal: (error) => die(`The node ends: its storage failed. ${adviceOn(options.directory)}`, error),
  });
  if (peerSecret.length > 0 && !options.isInsecure) logger.info("Nodes prove themselves to each other with a secret");
  ending.serve(server);
}

function adviceOn(directory: string): string {
  return (
    "Check the disk and start it again; if this repeats itself while other members have the data (kv status), move " +
    `${directory} away and start with an empty one`
  );
}

/** An operating error's sentence says it all; anything else is shown with where it came from. */
function describe(error: unknown): Readonly<Record<string, unknown>> {
  if (error instanceof KvError) return { code: error.code, reason: error.message };
  // What the system refuses needs no stack: the call and the path say it.
  if (error instanceof Error && "syscall" in error && "code" in error) {
    return { code: error.code, reason: error.message };
  }
  return { reason: error instanceof Error ? (error.stack ?? error.message) : String(error) };
}
