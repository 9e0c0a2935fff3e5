import type { NodeName } from "../model/position.ts";
import type { Beacon } from "./read-lease.ts";

/**
 * The newest beacon that each replica has echoed to one leadership. An echo says that its sender still followed after the beacon
 * was sent, which stays true whatever becomes of the session.
 */
export class EchoedBeacons {
  readonly #newest = new Map<NodeName, Beacon>();

  note(node: NodeName, beacon: Beacon): void {
    if (beacon > (this.#newest.get(node) ?? 0)) this.#newest.set(node, beacon);
  }

  /** Whether all of `nodes` have echoed a beacon newer than `after`. */
  areBehind(after: Beacon, nodes: readonly NodeName[]): boolean {
    return nodes.every((node) => (this.#newest.get(node) ?? 0) > after);
  }
}
