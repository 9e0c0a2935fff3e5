import { existsSync } from "node:fs";
import { Command, CommanderError } from "commander";
import { endWhenOutputCloses } from "../base/closed-output.ts";
import { SystemRandom } from "../base/random.ts";
import { KvError } from "../model/errors.ts";
import type { NodeAddresses } from "../model/topology.ts";
import { loadConfig } from "../server/config.ts";
import { addLoadOptions, type LoadOptions, loadPlanOf } from "./load/load-options.ts";
import { runLoad } from "./load/run-load.ts";
import { runThroughFailover } from "./load/run-through-failover.ts";
import { type PhaseOptions, runPhaseBenchmark } from "./phase-benchmark.ts";

const ADDRESS_DEFAULT = "127.0.0.2:8080";
const CONFIG_FILE = "sharding.toml";
/** The options that belong to the phases alone, as commander keeps them. */
const PHASE_OPTIONS = ["iterations", "readIterations", "concurrency"] as const;
const UINT32_COUNT = 2 ** 32;

const DESCRIPTION = `Loads a cluster and says how fast it answered.

Without options: every connection writes --iterations keys, then reads --read-iterations of them back. Any of the options from
--duration on chooses a load of operations instead: closed or open loop, YCSB workloads, HTTP or RESP.`;

async function main(words: readonly string[]): Promise<void> {
  const program = new Command("benchclient")
    .description(DESCRIPTION)
    .option(
      "--addr <addresses>",
      `nodes, comma separated (default: the first of ${CONFIG_FILE}, else ${ADDRESS_DEFAULT})`,
    )
    .option("--iterations <count>", "writes on each connection", "1000")
    .option("--read-iterations <count>", "reads on each connection", "100000")
    .option("--concurrency <count>", "connections", "1")
    .option("--value-bytes <count>", "size of a value", "64")
    .option("--durability <mode>", "async or in-sync; default: what the cluster is set to")
    .option("--json", "print the figures as JSON")
    .exitOverride();
  const loadOptions = addLoadOptions(program);
  try {
    program.parse(acceptSingleDash(words, program), { from: "user" });
    if (program.args.length > 0) throw new KvError("INVALID_ARGUMENT", `unexpected word ${program.args[0]}`);
    process.exitCode = await runChosen(program, loadOptions);
  } catch (error) {
    if (error instanceof CommanderError) process.exitCode = error.exitCode === 0 ? 0 : 2;
    else if (error instanceof KvError) fail(error.message, error.code === "INVALID_ARGUMENT" ? 2 : 1);
    else throw error;
  }
}

async function runChosen(program: Command, loadOptions: readonly string[]): Promise<number> {
  const isGiven = (name: string): boolean => program.getOptionValueSource(name) === "cli";
  const load = loadOptions.find(isGiven);
  if (load === undefined) return runPhaseBenchmark(program.opts<PhaseOptions>(), defaultNode);
  const phase = PHASE_OPTIONS.find(isGiven);
  if (phase !== undefined) {
    const [one, other] = [flagOf(program, phase), flagOf(program, load)];
    throw new KvError(
      "INVALID_ARGUMENT",
      `${one} is for phases of writes and reads, ${other} for a load of operations: give one of them`,
    );
  }
  const seed = Math.floor(new SystemRandom().next() * UINT32_COUNT);
  const plan = loadPlanOf(program.opts<LoadOptions>(), { node: defaultNode, respAddresses, seed });
  return plan.isThroughFailover ? runThroughFailover(plan) : runLoad(plan);
}

function flagOf(program: Command, name: string): string {
  return program.options.find((option) => option.attributeName() === name)?.long ?? name;
}

/** The small system's options have one dash. */
function acceptSingleDash(words: readonly string[], { options }: Command): string[] {
  const names = new Set([...options.map(({ long }) => long?.slice(2)), "help"]);
  return words.map((word) => (names.has(/^-([a-z][a-z-]+)(?:=|$)/.exec(word)?.[1]) ? `-${word}` : word));
}

function defaultNode(): string {
  return configuredNodes()[0]?.node ?? ADDRESS_DEFAULT;
}

function respAddresses(): ReadonlyMap<string, string> {
  return new Map(configuredNodes().map(({ node, resp }) => [node, resp]));
}

function configuredNodes(): readonly NodeAddresses[] {
  return existsSync(CONFIG_FILE) ? loadConfig(CONFIG_FILE).topology.nodes : [];
}

function fail(message: string, exitCode: number): void {
  console.error(`benchclient: ${message}`);
  process.exitCode = exitCode;
}

endWhenOutputCloses();
await main(process.argv.slice(2));
