import { type Command, Option } from "commander";
import { KvError } from "../../model/errors.ts";
import { LIMITS } from "../../model/limits.ts";
import { type HostPort, PORT_MAX, parseHostPort } from "../../server/node-address.ts";
import { DISTRIBUTIONS } from "./key-chooser.ts";
import type { LoadPlan } from "./load-plan.ts";
import { parseDecimal, parseWhole, parseWord } from "./option-values.ts";
import { digitsOf } from "./records.ts";
import { WORKLOADS, workloadOf } from "./workload.ts";

/** The options as commander hands them over. */
export interface LoadOptions {
  readonly addr?: string;
  readonly protocol?: string;
  readonly respPort?: string;
  readonly direct?: true;
  readonly connections?: string;
  readonly pipeline?: string;
  readonly workload?: string;
  readonly readFraction?: string;
  readonly distribution?: string;
  readonly theta?: string;
  readonly keys?: string;
  readonly keyPrefix?: string;
  readonly valueBytes?: string;
  readonly durability?: string;
  readonly rate?: string;
  readonly duration?: string;
  readonly ops?: string;
  readonly warmup?: string;
  readonly timeout?: string;
  readonly load?: true;
  readonly throughFailover?: true;
  readonly seed?: string;
  readonly json?: true;
}

const CONNECTIONS_MAX = 10_000;
const PIPELINE_MAX = 10_000;
const KEYS_MAX = 1_000_000_000;
const RATE_MAX = 10_000_000;
const SECONDS_MAX = 604_800;
const UINT32_MAX = 4_294_967_295;
/** A value that has to show its key and its write whole: ten digits, a colon, up to 15 digits, a semicolon. */
const TRACED_VALUE_BYTES_MIN = 27;
const FAILOVER_SECONDS = "60";
const FAILOVER_TIMEOUT_SECONDS = "5";

/** The options that choose this kind of load over the phases of writes and reads. */
const LOAD_OPTIONS: readonly (readonly [flags: string, description: string])[] = [
  ["--duration <seconds>", "how long to measure (default: 10)"],
  ["--ops <count>", "measure so many operations instead"],
  ["--warmup <seconds>", "load before the measuring begins (default: 0)"],
  ["--connections <count>", "connections; with --direct or --through-failover, for each shard (default: 16)"],
  ["--pipeline <count>", "operations under way on one connection (default: 1)"],
  ["--rate <count>", "operations a second, started by schedule whatever the answers do: an open loop"],
  ["--protocol <name>", "http or resp (default: http)"],
  ["--resp-port <port>", "the RESP port (default: what sharding.toml says of the node, else the HTTP port + 2000)"],
  ["--direct", "send each key to the node that leads its shard"],
  ["--workload <name>", `${WORKLOADS.join(", ")} (default: read)`],
  ["--read-fraction <share>", "share of reads in the workload mixed (default: 0.5)"],
  ["--distribution <name>", `${DISTRIBUTIONS.join(", ")} (default: what the workload says, else uniform)`],
  ["--theta <number>", "skew of zipfian and latest, above 0 and below 1 (default: 0.99)"],
  ["--keys <count>", "how many keys there are (default: 10000; with --through-failover 1000)"],
  ["--key-prefix <text>", "what keys begin with (default: bench:)"],
  ["--load", "write all keys first"],
  ["--timeout <seconds>", "when a missing answer counts as a failure (default: 30)"],
  ["--seed <number>", "choose keys and operations as an earlier run did"],
  ["--through-failover", "keep going through a failover; report outages, lost writes and stale reads"],
];

/** Adds the options to a command, and returns their names as commander keeps them. */
export function addLoadOptions(command: Command): string[] {
  return LOAD_OPTIONS.map(([flags, description]) => {
    const option = new Option(flags, description);
    command.addOption(option);
    return option.attributeName();
  });
}

/** What holds where the options say nothing; asked for only then. */
export interface LoadDefaults {
  /** `host:port`. */
  readonly node: () => string;
  /** The RESP addresses of the nodes that are known, by their names. */
  readonly respAddresses: () => ReadonlyMap<string, string>;
  readonly seed: number;
}

/** Checks the options of a load. Throws INVALID_ARGUMENT. */
export function loadPlanOf(options: LoadOptions, defaults: LoadDefaults): LoadPlan {
  const isThroughFailover = options.throughFailover === true;
  const workload = parseWord("--workload", options.workload ?? "read", WORKLOADS);
  const readFraction = parseDecimal("--read-fraction", options.readFraction ?? "0.5", { min: 0, max: 1 });
  const usual = workloadOf(workload, readFraction).distribution;
  const protocol = parseWord("--protocol", options.protocol ?? "http", ["http", "resp"]);
  const usesFile = protocol === "resp" && options.respPort === undefined;
  const plan: LoadPlan = {
    nodes: parseNodes(options.addr ?? defaults.node()),
    protocol,
    respPort: optional(options.respPort, (text) => parseWhole("--resp-port", text, { min: 1, max: PORT_MAX })),
    respAddresses: usesFile ? defaults.respAddresses() : new Map(),
    isDirect: options.direct === true,
    connectionCount: parseWhole("--connections", options.connections ?? "16", { min: 1, max: CONNECTIONS_MAX }),
    pipeline: parseWhole("--pipeline", options.pipeline ?? "1", { min: 1, max: PIPELINE_MAX }),
    workload,
    readFraction,
    distribution: parseWord("--distribution", options.distribution ?? usual, DISTRIBUTIONS),
    theta: parseDecimal("--theta", options.theta ?? "0.99", { above: 0, below: 1 }),
    keyCount: parseWhole("--keys", options.keys ?? (isThroughFailover ? "1000" : "10000"), { min: 1, max: KEYS_MAX }),
    keyPrefix: parsePrefix(options.keyPrefix ?? "bench:"),
    valueBytes: parseWhole("--value-bytes", options.valueBytes ?? "64", { min: 0, max: LIMITS.valueBytesMax }),
    durability: optional(options.durability, (text) => parseWord("--durability", text, ["async", "in-sync"])),
    rate: optional(options.rate, (text) => parseDecimal("--rate", text, { above: 0, max: RATE_MAX })),
    ...extentOf(options),
    warmupSeconds: parseDecimal("--warmup", options.warmup ?? "0", { min: 0, max: SECONDS_MAX }),
    timeoutSeconds: parseDecimal(
      "--timeout",
      options.timeout ?? (isThroughFailover ? FAILOVER_TIMEOUT_SECONDS : "30"),
      {
        above: 0,
        max: SECONDS_MAX,
      },
    ),
    isPreloading: options.load === true,
    isThroughFailover,
    seed: options.seed === undefined ? defaults.seed : parseWhole("--seed", options.seed, { min: 0, max: UINT32_MAX }),
    asJson: options.json === true,
  };
  refuseContradictions(plan, options);
  return plan;
}

function extentOf(options: LoadOptions): Pick<LoadPlan, "seconds" | "operationCount"> {
  if (options.duration !== undefined && options.ops !== undefined) {
    throw new KvError(
      "INVALID_ARGUMENT",
      "--duration and --ops exclude each other: which of them should end the load?",
    );
  }
  if (options.ops !== undefined) {
    return { seconds: null, operationCount: parseWhole("--ops", options.ops, { min: 1, max: 999_999_999_999 }) };
  }
  const usual = options.throughFailover === true ? FAILOVER_SECONDS : "10";
  const seconds = parseDecimal("--duration", options.duration ?? usual, { above: 0, max: SECONDS_MAX });
  return { seconds, operationCount: null };
}

function refuseContradictions(plan: LoadPlan, options: LoadOptions): void {
  const refuse = (isWrong: boolean, message: string): void => {
    if (isWrong) throw new KvError("INVALID_ARGUMENT", message);
  };
  const isResp = plan.protocol === "resp";
  refuse(
    isResp && plan.workload === "ycsb-e",
    "--workload ycsb-e scans, which needs --protocol http: SCAN of the Redis protocol knows no start key",
  );
  refuse(
    isResp && plan.durability !== null,
    "--durability needs --protocol http: the Redis protocol has no such option",
  );
  refuse(!isResp && plan.respPort !== null, "--resp-port needs --protocol resp");
  refuse(options.readFraction !== undefined && plan.workload !== "mixed", "--read-fraction needs --workload mixed");
  const isSkewed = plan.distribution === "zipfian" || plan.distribution === "latest";
  refuse(options.theta !== undefined && !isSkewed, "--theta needs --distribution zipfian or latest");
  if (!plan.isThroughFailover) return;
  refuse(options.ops !== undefined, "--through-failover needs --duration instead of --ops");
  refuse(plan.isPreloading, "--through-failover writes all its keys by itself: leave out --load");
  refuse(
    options.workload !== undefined && plan.workload !== "mixed",
    "--through-failover has a workload of its own; with --workload mixed, --read-fraction sets its reads",
  );
  refuse(plan.isDirect, "--through-failover always sends keys to their leaders: leave out --direct");
  refuse(options.warmup !== undefined, "--through-failover measures from the beginning: leave out --warmup");
  refuse(
    options.distribution !== undefined,
    "--through-failover goes through its keys in turn: leave out --distribution",
  );
  refuse(
    plan.valueBytes < TRACED_VALUE_BYTES_MIN,
    `--value-bytes ${plan.valueBytes} must be at least ${TRACED_VALUE_BYTES_MIN} with --through-failover: values tell which write they come from`,
  );
}

function parseNodes(text: string): readonly [HostPort, ...HostPort[]] {
  const [first = "", ...rest] = text.split(",");
  return [parseNode(first), ...rest.map(parseNode)];
}

function parseNode(text: string): HostPort {
  const parsed = parseHostPort(
    text
      .trim()
      .replace(/^http:\/\//, "")
      .replace(/\/$/, ""),
  );
  if (typeof parsed === "string") throw new KvError("INVALID_ARGUMENT", `--addr ${text} ${parsed}`);
  return parsed;
}

function parsePrefix(text: string): string {
  const bytesMax = LIMITS.keyBytesMax - digitsOf(0).length;
  if (Buffer.byteLength(text) <= bytesMax) return text;
  throw new KvError("INVALID_ARGUMENT", `--key-prefix has ${Buffer.byteLength(text)} bytes; ${bytesMax} are possible`);
}

function optional<Value>(text: string | undefined, parse: (text: string) => Value): Value | null {
  return text === undefined ? null : parse(text);
}
