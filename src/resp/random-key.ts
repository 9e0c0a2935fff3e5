import { KvError } from "../model/errors.ts";
import { DEFAULT_OPTIONS } from "../model/operation.ts";
import type { Random } from "../base/random.ts";
import type { ClusterPage } from "../node/gateway.ts";
import type { Argument } from "./argument.ts";
import type { CommandContext, Plan, Render } from "./command.ts";
import { errorText } from "./error-reply.ts";

/** One of so many keys behind a random place is chosen. */
const SAMPLE_ROWS = 64;
const RANDOM_BYTES = 4;

/**
 * `RANDOMKEY`: any key can come out, though not each with the same chance. A place between the first and the last key is drawn,
 * and one of the keys behind it: keys behind gaps come more often.
 */
export function planRandomKey(_words: readonly Argument[], context: CommandContext): Plan {
  return { kind: "alone", run: (done) => new RandomKey(context, done).run() };
}

class RandomKey {
  readonly #context: CommandContext;
  readonly #done: (render: Render) => void;

  constructor(context: CommandContext, done: (render: Render) => void) {
    this.#context = context;
    this.#done = done;
  }

  run(): void {
    this.#page("", false, 1, (first) => {
      if (first === undefined) this.#done((out) => out.null());
      else this.#page("", true, 1, (last) => this.#between(first, last ?? first));
    });
  }

  #between(first: string, last: string): void {
    this.#page(placeBetween(first, last, this.#context.random), false, SAMPLE_ROWS, (key) =>
      this.#done((out) => out.bulk(key ?? last)),
    );
  }

  /** Chooses one of the keys of a page; undefined when there is none. */
  #page(start: string, reverse: boolean, rowsMax: number, use: (key: string | undefined) => void): void {
    const { gateway, random } = this.#context;
    const scan = { start, end: "", reverse, keysOnly: true, rowsMax, options: DEFAULT_OPTIONS };
    gateway.scan(scan, (page: ClusterPage | KvError) => {
      if (page instanceof KvError) {
        const text = errorText(page);
        this.#done((out) => out.error(text));
      } else use(page.items[Math.floor(random.next() * page.items.length)]?.key);
    });
  }
}

/** A text between `first` and `last` in byte order, which begins as both do. */
function placeBetween(first: string, last: string, random: Random): string {
  let common = 0;
  while (common < first.length && first[common] === last[common]) common++;
  const low = first.charCodeAt(common) || 0;
  const high = last.charCodeAt(common) || 0;
  let place = first.slice(0, common) + String.fromCharCode(low + Math.floor(random.next() * (high - low + 1)));
  for (let i = 0; i < RANDOM_BYTES; i++) place += String.fromCharCode(Math.floor(random.next() * 128));
  return place;
}
