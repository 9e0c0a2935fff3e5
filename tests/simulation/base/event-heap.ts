/** Something that happens at a virtual time. */
export interface SimEvent {
  readonly timeMs: number;
  /** Decides between events of one time; drawn from the seed, so that no order of simultaneous events is special. */
  readonly tieBreak: number;
  /** Order of insertion: the last word. */
  readonly order: number;
  /** What it is, for the trace. */
  readonly label: string;
  readonly run: () => void;
  isCancelled: boolean;
}

/** A binary heap of events: earliest first, then by tie-break, then by insertion. Cancelled ones are skipped. */
export class EventHeap {
  readonly #events: SimEvent[] = [];

  /** How many events wait, cancelled ones included. */
  get size(): number {
    return this.#events.length;
  }

  push(event: SimEvent): void {
    const events = this.#events;
    let child = events.length;
    events.push(event);
    while (child > 0) {
      const parent = (child - 1) >>> 1;
      const other = events[parent];
      if (other === undefined || !isBefore(event, other)) break;
      events[child] = other;
      child = parent;
    }
    events[child] = event;
  }

  /** The earliest event that is not cancelled, left in place; undefined when there is none. */
  peek(): SimEvent | undefined {
    for (;;) {
      const first = this.#events[0];
      if (first === undefined || !first.isCancelled) return first;
      this.#removeFirst();
    }
  }

  /** Takes out what `peek` returns. */
  pop(): SimEvent | undefined {
    const first = this.peek();
    if (first !== undefined) this.#removeFirst();
    return first;
  }

  #removeFirst(): void {
    const events = this.#events;
    const last = events.pop();
    if (last === undefined || events.length === 0) return;
    let parent = 0;
    for (;;) {
      const left = events[2 * parent + 1];
      const right = events[2 * parent + 2];
      if (left === undefined) break;
      const takesRight = right !== undefined && isBefore(right, left);
      const smaller = takesRight ? right : left;
      if (!isBefore(smaller, last)) break;
      events[parent] = smaller;
      parent = 2 * parent + (takesRight ? 2 : 1);
    }
    events[parent] = last;
  }
}

function isBefore(a: SimEvent, b: SimEvent): boolean {
  if (a.timeMs !== b.timeMs) return a.timeMs < b.timeMs;
  if (a.tieBreak !== b.tieBreak) return a.tieBreak < b.tieBreak;
  return a.order < b.order;
}
