import { clusterScenario } from "./cluster/cluster-scenario.ts";
import {
  BALANCED,
  BRIM_FULL,
  COPIES,
  CORRUPTION,
  FAILOVERS,
  POWER,
  RETENTION,
  SPLIT,
  TORN_COPIES,
} from "./cluster/emphasis.ts";
import type { Scenario } from "./scenario.ts";
import { toyScenario } from "./toy/toy-scenario.ts";

const SCENARIOS: readonly Scenario[] = [
  clusterScenario("cluster", BALANCED),
  clusterScenario("cluster-split", SPLIT),
  clusterScenario("cluster-corruption", CORRUPTION),
  clusterScenario("cluster-brim-full", BRIM_FULL),
  clusterScenario("cluster-copies", COPIES),
  clusterScenario("cluster-failovers", FAILOVERS),
  clusterScenario("cluster-power", POWER),
  clusterScenario("cluster-retention", RETENTION),
  clusterScenario("cluster-torn-copies", TORN_COPIES),
  toyScenario(null),
  toyScenario("answersBeforeFlush"),
  toyScenario("readsUnflushed"),
  toyScenario("checksBeforeFlush"),
];

/** The names of all scenarios, the default one first. */
export const SCENARIO_NAMES: readonly string[] = SCENARIOS.map((scenario) => scenario.name);

/** The scenario called `name`. Throws when there is none. */
export function scenarioByName(name: string): Scenario {
  const scenario = SCENARIOS.find((one) => one.name === name);
  if (scenario === undefined) throw new Error(`There is no scenario "${name}", only ${SCENARIO_NAMES.join(", ")}`);
  return scenario;
}
