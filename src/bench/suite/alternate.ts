import type { Bar, Figure } from "./row.ts";
import { median, spreadOf } from "./statistics.ts";

/** One of the two that are compared: `measure` gives an absolute figure. */
export interface Contestant {
  readonly name: string;
  readonly unit: string;
  readonly measure: () => Promise<number>;
}

export interface Comparison {
  readonly bar: Bar;
  readonly subject: Contestant;
  readonly peer: Contestant;
  readonly rounds: number;
  readonly say: (line: string) => void;
}

/**
 * Measures both in turn, subject and peer, as often as there are rounds, so that what the machine does meanwhile meets both. The
 * figure is the median of the rounds' ratios (subject to peer); the absolute figures are medians too.
 */
export async function alternate({ bar, subject, peer, rounds, say }: Comparison): Promise<Figure> {
  const subjects: number[] = [];
  const peers: number[] = [];
  for (let round = 1; round <= rounds; round++) {
    const one = await subject.measure();
    const other = await peer.measure();
    subjects.push(one);
    peers.push(other);
    const sides = [shown(subject, one), shown(peer, other)].join(", ");
    say(
      `  ${bar.label === "" ? "" : `${bar.label}, `}round ${round} of ${rounds}: ${sides}: ${(one / other).toFixed(2)} ×`,
    );
  }
  return {
    ...bar,
    ...spreadOf(subjects.map((value, index) => value / (peers[index] ?? 0))),
    subject: { name: subject.name, value: median(subjects), unit: subject.unit },
    peer: { name: peer.name, value: median(peers), unit: peer.unit },
  };
}

function shown({ name, unit }: Contestant, value: number): string {
  const digits = value >= 100 ? 0 : 2;
  return `${name} ${value.toFixed(digits)} ${unit}`;
}
