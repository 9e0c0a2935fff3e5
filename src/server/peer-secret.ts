import { readFileSync, statSync } from "node:fs";
import { parse, TomlError } from "smol-toml";
import { KvError } from "../model/errors.ts";

const FILE_BYTES_MAX = 65_536;
const SECRET_LENGTH_MIN = 16;
const SECRET_LENGTH_MAX = 1024;
/** Bits of a file's mode that let others than its owner at it. */
const OTHERS = 0o077;

/**
 * Reads the secret that the nodes of a cluster share from the file that KV_TOKEN_FILE names: TOML with the one key `peer`,
 * a text of 16 to 1,024 characters. Nobody but the file's owner may have access to it. Without a file the secret is empty.
 * Throws CONFIG_INVALID; no message holds the secret.
 */
export function readPeerSecret(path: string | undefined): Buffer {
  if (path === undefined || path === "") return Buffer.alloc(0);
  const keys = parseTokens(path, readText(path));
  for (const key of Object.keys(keys)) {
    if (key === "peer") continue;
    const isLater = key === "client" || key === "admin";
    throw refusal(path, isLater ? `${key} tokens are not supported by this version` : `${key} is not a known key`);
  }
  const { peer } = keys;
  if (typeof peer !== "string" || peer.length < SECRET_LENGTH_MIN || peer.length > SECRET_LENGTH_MAX) {
    throw refusal(path, `peer must be a text of ${SECRET_LENGTH_MIN} to ${SECRET_LENGTH_MAX} characters`);
  }
  return Buffer.from(peer, "utf8");
}

function readText(path: string): string {
  try {
    const status = statSync(path);
    if (!status.isFile()) throw refusal(path, "is not a file");
    if ((status.mode & OTHERS) !== 0) {
      const mode = (status.mode & 0o777).toString(8).padStart(4, "0");
      throw refusal(path, `has mode ${mode}: others could read it; set it with: chmod 600`);
    }
    if (status.size > FILE_BYTES_MAX) throw refusal(path, `has ${status.size} bytes; the limit is ${FILE_BYTES_MAX}`);
    return readFileSync(path, "utf8");
  } catch (error) {
    if (error instanceof KvError) throw error;
    throw refusal(path, error instanceof Error ? error.message : String(error));
  }
}

/** A parser's message may show the line at fault, and with it the secret: only the place is told. */
function parseTokens(path: string, text: string): Readonly<Record<string, unknown>> {
  try {
    return parse(text);
  } catch (error) {
    if (!(error instanceof TomlError)) throw error;
    throw refusal(path, `is not TOML (line ${error.line}, column ${error.column})`);
  }
}

function refusal(path: string, reason: string): KvError {
  return new KvError("CONFIG_INVALID", `KV_TOKEN_FILE ${path}: ${reason}`);
}
