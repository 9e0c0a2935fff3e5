import type { World } from "./world.ts";

/** One step that the cluster, a client, an operator or fate may take; always on whole nodes, so it can be named in a trace. */
export interface Action {
  /** The kind of step, for the count of how often each was taken. */
  readonly kind: string;
  readonly label: string;
  /** Changes the world's state and returns true, or changes nothing and returns false when the step is not possible. */
  readonly run: (world: World) => boolean;
}

/** The step once for every node. */
export function forEachNode(nodes: number, kind: string, run: (world: World, node: number) => boolean): Action[] {
  return Array.from({ length: nodes }, (_, node) => ({
    kind,
    label: `n${node} ${kind}`,
    run: (world) => run(world, node),
  }));
}

/** The step once for every ordered pair of different nodes. */
export function forEachPair(
  nodes: number,
  kind: string,
  run: (world: World, from: number, to: number) => boolean,
): Action[] {
  return Array.from({ length: nodes ** 2 }, (_, pair) => [Math.floor(pair / nodes), pair % nodes] as const)
    .filter(([from, to]) => from !== to)
    .map(([from, to]) => ({ kind, label: `n${from} ${kind} n${to}`, run: (world) => run(world, from, to) }));
}
