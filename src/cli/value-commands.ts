import { readFile } from "node:fs/promises";
import { buffer as readStream } from "node:stream/consumers";
import type { Command } from "commander";
import { KvError } from "../model/errors.ts";
import { keyForPeople } from "../model/key.ts";
import { LIMITS } from "../model/limits.ts";
import {
  addClientOptions,
  checkChoice,
  checkNumber,
  type ClientOptions,
  print,
  withClient,
} from "./command-options.ts";
import { parseKeyArgument } from "./key-argument.ts";
import { deleteKey, type FoundValue, getValue, setValue } from "./key-requests.ts";
import { bytesMembers } from "./stored-row.ts";
import { UsageError } from "./usage-error.ts";

const CONSISTENCIES = ["linearizable", "eventual"] as const;
const DURABILITIES = ["async", "in-sync"] as const;
const TTL_SECONDS = { min: 1, max: LIMITS.ttlMsMax / 1000 } as const;
const VERSIONS = { min: 0, max: Number.MAX_SAFE_INTEGER } as const;

interface KeyOptions extends ClientOptions {
  readonly base64?: true;
  readonly json?: true;
}

interface GetOptions extends KeyOptions {
  readonly consistency?: string;
}

interface SetOptions extends KeyOptions {
  readonly file?: string;
  readonly ttl?: string;
  readonly contentType?: string;
  readonly durability?: string;
  readonly ifAbsent?: true;
  readonly ifVersion?: string;
}

interface DeleteOptions extends KeyOptions {
  readonly durability?: string;
  readonly ifVersion?: string;
}

/** `kv get`, `kv set` and `kv del`: one key. */
export function defineValueCommands(program: Command): void {
  defineGet(program);
  defineSet(program);
  defineDelete(program);
}

function defineGet(program: Command): void {
  const command = keyCommand(program, "get")
    .description("print the value of a key, byte for byte; exit code 1 when there is none")
    .option("--consistency <level>", "linearizable (default) or eventual");
  addClientOptions(command).action(async (argument: string, options: GetOptions) => {
    const key = parseKeyArgument(argument, options.base64 === true);
    const consistency = checkChoice("--consistency", options.consistency, CONSISTENCIES);
    await withClient(options, async (client) => {
      const found = await getValue(client, key, consistency);
      if (found === null) throw new KvError("NOT_FOUND", `there is no key ${JSON.stringify(keyForPeople(key))}`);
      if (options.json === true) await print(`${JSON.stringify(describeValue(argument, found))}\n`);
      else await print(process.stdout.isTTY ? Buffer.concat([found.value, Buffer.from("\n")]) : found.value);
    });
  });
}

function defineSet(program: Command): void {
  const command = keyCommand(program, "set")
    .argument("[value]", "the value as text; without it, from --file or standard input")
    .description("store a value under a key; it is on disk when the command ends with exit code 0")
    .option("--file <path>", "store what this file holds")
    .option("--ttl <seconds>", "the key goes away after this time")
    .option("--content-type <type>", "the media type to answer it with")
    .option("--if-absent", "only when the key does not exist")
    .option("--if-version <version>", "only when the key is at this version")
    .option("--durability <mode>", "async or in-sync; default: what the cluster is set to");
  addClientOptions(command).action(async (argument: string, text: string | undefined, options: SetOptions) => {
    const key = parseKeyArgument(argument, options.base64 === true);
    if (options.ifAbsent === true && options.ifVersion !== undefined) {
      throw new UsageError("--if-absent and --if-version exclude each other");
    }
    const ttlSeconds = checkNumber("--ttl", options.ttl, TTL_SECONDS);
    const durability = checkChoice("--durability", options.durability, DURABILITIES);
    const version = checkNumber("--if-version", options.ifVersion, VERSIONS);
    const value = await readValue(text, options.file);
    await withClient(options, async (client) => {
      const written = await setValue(client, {
        key,
        value,
        contentType: options.contentType,
        ttlSeconds,
        durability,
        condition: options.ifAbsent === true ? "absent" : version,
      });
      const report =
        options.json === true
          ? JSON.stringify(written)
          : `${written.created ? "created" : "replaced"} in ${written.shard}, version ${written.version}`;
      await print(`${report}\n`);
    });
  });
}

function defineDelete(program: Command): void {
  const command = keyCommand(program, "del")
    .description("remove a key; exit code 1 when it did not exist")
    .option("--if-version <version>", "only when the key is at this version")
    .option("--durability <mode>", "async or in-sync; default: what the cluster is set to");
  addClientOptions(command).action(async (argument: string, options: DeleteOptions) => {
    const key = parseKeyArgument(argument, options.base64 === true);
    const durability = checkChoice("--durability", options.durability, DURABILITIES);
    const condition = checkNumber("--if-version", options.ifVersion, VERSIONS);
    await withClient(options, async (client) => {
      const deleted = await deleteKey(client, { key, durability, condition });
      if (options.json === true) await print(`${JSON.stringify({ deleted })}\n`);
      if (!deleted) throw new KvError("NOT_FOUND", `there is no key ${JSON.stringify(keyForPeople(key))}`);
      if (options.json !== true) await print("deleted\n");
    });
  });
}

function keyCommand(program: Command, name: string): Command {
  return program
    .command(name)
    .argument("<key>")
    .option("--base64", "the key is given as base64, for keys that are not text")
    .option("--json", "print the answer as JSON");
}

async function readValue(text: string | undefined, file: string | undefined): Promise<Buffer> {
  if (text !== undefined && file !== undefined) throw new UsageError("give the value or --file, not both");
  if (text !== undefined) return Buffer.from(text, "utf8");
  if (file !== undefined && file !== "-") return readValueFile(file);
  if (process.stdin.isTTY) {
    throw new UsageError("the value is missing: kv set KEY VALUE, or --file PATH, or pipe it in");
  }
  return readStream(process.stdin);
}

async function readValueFile(path: string): Promise<Buffer> {
  try {
    return await readFile(path);
  } catch (error) {
    throw new UsageError(`--file ${path} cannot be read: ${error instanceof Error ? error.message : String(error)}`);
  }
}

function describeValue(key: string, found: FoundValue): object {
  const { version, contentType, shard, node, role, lagMs } = found;
  const value = bytesMembers("value", found.value);
  return { key, ...value, version, content_type: contentType, shard, node, role, lag_ms: lagMs };
}
