/**
 * `npm run chaos -- --scenario NAME --seconds N [--coordinator embedded|etcd1|etcd3] [--seed N]`: real processes, real faults.
 * Runs inside namespaces of its own, which are gone when it ends, however it ends.
 */
import { writeFileSync } from "node:fs";
import { parseArgs } from "node:util";
import { isInLab, labMissing, runInLab } from "./lab/enter-lab.ts";
import type { CoordinatorKind } from "./lab/lab-coordinator.ts";
import { FIGURE_SCENARIOS } from "./figure-scenarios.ts";
import { reportLines } from "./report-lines.ts";
import { runScenario } from "./run-scenario.ts";
import { SCENARIOS } from "./scenarios.ts";

const ALL_SCENARIOS = [...SCENARIOS, ...FIGURE_SCENARIOS];
const COORDINATORS: readonly CoordinatorKind[] = ["embedded", "etcd1", "etcd3"];
const THINK_MS_DEFAULT = 25;

async function main(): Promise<number> {
  const { values } = parseArgs({
    options: {
      scenario: { type: "string", default: "mix" },
      seconds: { type: "string", default: "30" },
      coordinator: { type: "string", default: "embedded" },
      seed: { type: "string", default: String(Math.floor(Math.random() * 2 ** 31)) },
      "think-ms": { type: "string", default: String(THINK_MS_DEFAULT) },
      /** Numbers of planted mistakes, with commas between them. */
      mutants: { type: "string", default: "" },
      "keep-output": { type: "boolean", default: false },
      /** Where the report goes as JSON. */
      report: { type: "string" },
    },
  });
  const scenario = ALL_SCENARIOS.find(({ name }) => name === values.scenario);
  const coordinator = COORDINATORS.find((kind) => kind === values.coordinator);
  if (scenario === undefined || coordinator === undefined) {
    console.error(`scenarios:\n${ALL_SCENARIOS.map(({ name, title }) => `  ${name.padEnd(24)} ${title}`).join("\n")}`);
    console.error(`coordinators: ${COORDINATORS.join(", ")}`);
    return 2;
  }
  const missing = labMissing();
  if (!isInLab()) {
    if (missing === null) return runInLab();
    console.error(`No lab can be made: ${missing}`);
    return 2;
  }
  const seed = Number(values.seed);
  console.log(`${scenario.name}: ${scenario.title} (coordinator ${coordinator}, seed ${seed})`);
  const report = await runScenario(scenario, {
    seconds: Number(values.seconds),
    coordinator,
    seed,
    thinkMs: Number(values["think-ms"]),
    say: (line) => console.log(line),
    mutants: values.mutants.split(",").filter((id) => id !== ""),
    keepsOutput: values["keep-output"],
  });
  for (const line of reportLines(report)) console.log(line);
  if (values.report !== undefined) writeFileSync(values.report, JSON.stringify(report, null, 2));
  return 0;
}

process.exit(
  await main().catch((error: unknown) => {
    console.error(error);
    return 1;
  }),
);
