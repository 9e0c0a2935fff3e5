import { clusterScenario, mixedClusterScenario, mixedFailoverScenario } from "./cluster/cluster-scenario.ts";
import { COORDINATED_EMPHASES, LATER_EMPHASES } from "./cluster/coordinated-emphases.ts";
import { STATIC_EMPHASES } from "./cluster/emphasis.ts";
import type { Scenario } from "./scenario.ts";
import { toyScenario } from "./toy/toy-scenario.ts";

const SCENARIOS: readonly Scenario[] = [
  mixedClusterScenario("cluster"),
  mixedFailoverScenario("failover"),
  ...Object.entries({ ...STATIC_EMPHASES, ...COORDINATED_EMPHASES, ...LATER_EMPHASES }).map(([name, emphasis]) =>
    clusterScenario(`cluster-${name}`, emphasis),
  ),
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
