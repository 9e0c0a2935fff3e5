import type { CertainOperation } from "./key-history.ts";

/**
 * The calls and returns of operations in time order, as a doubly linked list from which an operation can be lifted and to
 * which it can be put back in constant time, in the reverse order of lifting (Lowe, "Testing for linearizability", 2017).
 *
 * Node 0 is the head; `callNode[i]` and `returnNode[i]` belong to operation i.
 */
export class EventList {
  /** The operation of each node; -1 at the head. */
  readonly operationOf: Int32Array;
  readonly isReturn: Uint8Array;
  /** The time of each node. */
  readonly time: Float64Array;
  readonly #callNode: Int32Array;
  readonly #returnNode: Int32Array;
  readonly #next: Int32Array;
  readonly #previous: Int32Array;

  constructor(operations: readonly CertainOperation[]) {
    const nodeCount = operations.length * 2 + 1;
    this.operationOf = new Int32Array(nodeCount).fill(-1);
    this.isReturn = new Uint8Array(nodeCount);
    this.time = new Float64Array(nodeCount);
    this.#callNode = new Int32Array(operations.length);
    this.#returnNode = new Int32Array(operations.length);
    this.#next = new Int32Array(nodeCount).fill(-1);
    this.#previous = new Int32Array(nodeCount).fill(-1);
    this.#link(operations);
  }

  /** The node after `node`, or -1 at the end. */
  next(node: number): number {
    return this.#next[node] ?? -1;
  }

  /** The first node, or -1 when all are lifted. */
  get first(): number {
    return this.next(0);
  }

  /** The call node of `operation`. */
  callOf(operation: number): number {
    return this.#callNode[operation] ?? -1;
  }

  /** Takes both nodes of `operation` out. */
  lift(operation: number): void {
    this.#unlink(this.#callNode[operation] ?? 0);
    this.#unlink(this.#returnNode[operation] ?? 0);
  }

  /** Puts both nodes of `operation` back; must be the operation lifted last. */
  restore(operation: number): void {
    this.#relink(this.#returnNode[operation] ?? 0);
    this.#relink(this.#callNode[operation] ?? 0);
  }

  #link(operations: readonly CertainOperation[]): void {
    const events = operations.flatMap((operation, index) => [
      { index, time: operation.call, isReturn: 0 },
      { index, time: operation.ret, isReturn: 1 },
    ]);
    // Calls before returns at equal times: such operations count as concurrent, which never accuses wrongly.
    events.sort((a, b) => a.time - b.time || a.isReturn - b.isReturn);
    let node = 0;
    for (const event of events) {
      const previous = node++;
      this.operationOf[node] = event.index;
      this.isReturn[node] = event.isReturn;
      this.time[node] = event.time;
      this.#previous[node] = previous;
      this.#next[previous] = node;
      (event.isReturn === 1 ? this.#returnNode : this.#callNode)[event.index] = node;
    }
  }

  #unlink(node: number): void {
    const previous = this.#previous[node] ?? 0;
    const next = this.#next[node] ?? -1;
    this.#next[previous] = next;
    if (next !== -1) this.#previous[next] = previous;
  }

  #relink(node: number): void {
    const previous = this.#previous[node] ?? 0;
    const next = this.#next[node] ?? -1;
    this.#next[previous] = node;
    if (next !== -1) this.#previous[next] = node;
  }
}
