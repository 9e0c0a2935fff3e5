import { readFileSync } from "node:fs";
import { Command, CommanderError } from "commander";
import { endWhenOutputCloses } from "../base/closed-output.ts";
import { defineCheck } from "./check-command.ts";
import { defineCoordinator } from "./coordinator-command.ts";
import { defineExplain } from "./explain-command.ts";
import { defineExport } from "./export-command.ts";
import { reportFailure } from "./failure-report.ts";
import { defineHandover } from "./handover-command.ts";
import { defineImport } from "./import-command.ts";
import { defineInit } from "./init-command.ts";
import { defineMember } from "./member-command.ts";
import { definePromote } from "./promote-command.ts";
import { defineScan } from "./scan-command.ts";
import { defineServe } from "./serve-command.ts";
import { acceptSingleDash, longNamesOf } from "./single-dash.ts";
import { defineStatus } from "./status-command.ts";
import { defineUp } from "./up-command.ts";
import { defineValueCommands } from "./value-commands.ts";

/** All commands of `kv`. */
function buildProgram(): Command {
  const program = new Command("kv")
    .description("A distributed key-value database: sharded, replicated, durable.")
    .version(readVersion(), "--version")
    .showHelpAfterError("(kv --help lists the commands, kv COMMAND --help explains one)")
    .exitOverride();
  defineServe(program);
  defineUp(program);
  defineValueCommands(program);
  defineScan(program);
  defineImport(program);
  defineExport(program);
  defineStatus(program);
  defineExplain(program);
  definePromote(program);
  defineHandover(program);
  defineInit(program);
  defineMember(program);
  defineCoordinator(program);
  defineCheck(program);
  return program;
}

/** `kv` without a command is `kv serve`, as in the small system, whose options have one dash. */
function completeWords(program: Command, words: readonly string[]): string[] {
  const [first] = words;
  const isCommand = first === undefined || !first.startsWith("-") || ["-h", "--help", "--version"].includes(first);
  const complete = isCommand ? [...words] : ["serve", ...words];
  const command = program.commands.find((one) => one.name() === complete[0]);
  return command === undefined ? complete : acceptSingleDash(complete, longNamesOf(command));
}

function readVersion(): string {
  const manifest: unknown = JSON.parse(readFileSync(new URL("../../package.json", import.meta.url), "utf8"));
  const hasVersion = typeof manifest === "object" && manifest !== null && "version" in manifest;
  return hasVersion ? String(manifest.version) : "unknown";
}

async function main(words: readonly string[]): Promise<void> {
  const program = buildProgram();
  if (words.length === 0) {
    program.outputHelp({ error: true });
    process.exitCode = 2;
    return;
  }
  try {
    await program.parseAsync(completeWords(program, words), { from: "user" });
  } catch (error) {
    process.exitCode = error instanceof CommanderError ? (error.exitCode === 0 ? 0 : 2) : reportFailure("kv", error);
  }
}

endWhenOutputCloses();
await main(process.argv.slice(2));
