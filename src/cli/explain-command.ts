import { styleText } from "node:util";
import type { Command } from "commander";
import { keyForPeople } from "../model/key.ts";
import type { Explanation } from "../node/gateway.ts";
import { jsonOf } from "./cluster-client.ts";
import { readExplanation } from "./cluster-report.ts";
import { addClientOptions, type ClientOptions, print, withClient } from "./command-options.ts";
import { parseKeyArgument, percentEncode } from "./key-argument.ts";
import { formatCount, formatMs } from "./quantities.ts";
import { renderTable } from "./text-table.ts";

interface ExplainOptions extends ClientOptions {
  readonly base64?: true;
  readonly json?: true;
}

/** `kv explain KEY`: where a key lives, and what each copy holds of it. */
export function defineExplain(program: Command): void {
  const command = program
    .command("explain")
    .argument("<key>")
    .description("show where a key lives: hash, slot, shard, leader, and version and lag of every copy")
    .option("--base64", "the key is given as base64")
    .option("--json", "print what the node answered");
  addClientOptions(command).action(async (argument: string, options: ExplainOptions) => {
    const key = parseKeyArgument(argument, options.base64 === true);
    await withClient(options, async (client) => {
      const path = `/v1/explain?key=${percentEncode(key)}`;
      const answer = await client.ask({ method: "GET", path, isRepeatable: true });
      const explanation = readExplanation(jsonOf(answer));
      await print(options.json === true ? answer.body : `${renderExplanation(explanation)}\n`);
    });
  });
}

function renderExplanation(explanation: Explanation): string {
  const { key, hash, slot, shard, leader, copies } = explanation;
  const rows = copies.map((copy) => [
    copy.node,
    copy.reachable ? copy.role : styleText("red", "does not answer"),
    copy.reachable ? (copy.version === null ? "does not have it" : `version ${copy.version}`) : "",
    !copy.reachable || copy.role === "leader" ? "" : lagText(copy.lagEntries, copy.lagMs),
  ]);
  return [
    ...renderTable([
      ["key", JSON.stringify(keyForPeople(key))],
      ["hash", `${hash} (FNV-1, 64 bits)`],
      ["slot", `${slot} (hash mod 55440)`],
      ["shard", styleText("bold", shard)],
      ["leader", leader ?? styleText("red", "none is known")],
    ]),
    "",
    ...renderTable(rows),
  ].join("\n");
}

function lagText(lagEntries: number, lagMs: number): string {
  if (lagEntries === 0 && lagMs > 0) return `not known: it has not heard of its leader for ${formatMs(lagMs)}`;
  return lagEntries === 0 ? "not behind" : `behind by ${formatCount(lagEntries)} entries, ${formatMs(lagMs)}`;
}
