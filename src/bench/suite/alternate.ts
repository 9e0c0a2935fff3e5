import type { Bar, Figure } from "./row.ts";
import { median, spreadOf } from "./statistics.ts";

/** One of those that are compared: `measure` gives an absolute figure. */
export interface Contestant {
  readonly name: string;
  readonly unit: string;
  readonly measure: () => Promise<number>;
}

/** What it came to in each round. */
export interface Measured {
  readonly name: string;
  readonly unit: string;
  readonly values: readonly number[];
}

export interface Turns {
  readonly rounds: number;
  readonly say: (line: string) => void;
}

/** Measures all in turn, A B A B …, so that what the machine does meanwhile meets each of them. Results in the same order. */
export async function measureInTurn(contestants: readonly Contestant[], { rounds, say }: Turns): Promise<Measured[]> {
  const all = contestants.map((contestant) => ({ contestant, values: [] as number[] }));
  for (let round = 1; round <= rounds; round++) {
    for (const { contestant, values } of all) values.push(await contestant.measure());
    const shown = all.map(({ contestant, values }) => {
      const value = values.at(-1) ?? 0;
      return `${contestant.name} ${value.toFixed(value >= 100 ? 0 : 2)} ${contestant.unit}`;
    });
    say(`  round ${round} of ${rounds}: ${shown.join(", ")}`);
  }
  return all.map(({ contestant: { name, unit }, values }) => ({ name, unit, values }));
}

/** The median of the rounds' ratios, subject to peer; the absolute figures are medians too. */
export function ratioFigure(bar: Bar, subject: Measured | undefined, peer: Measured | undefined): Figure {
  if (subject === undefined || peer === undefined) throw new Error("both sides must have been measured");
  const ratios = subject.values.map((value, index) => value / (peer.values[index] ?? Number.NaN));
  return { ...bar, ...spreadOf(ratios), subject: sideOf(subject), peer: sideOf(peer) };
}

/** A figure that is held against an absolute bar. */
export function absoluteFigure(bar: Bar, subject: Measured): Figure {
  return { ...bar, ...spreadOf(subject.values), subject: sideOf(subject), peer: null };
}

/** Measures two in turn and compares them. */
export async function alternate(
  bar: Bar,
  { subject, peer, ...turns }: Turns & { readonly subject: Contestant; readonly peer: Contestant },
): Promise<Figure> {
  const [one, other] = await measureInTurn([subject, peer], turns);
  return ratioFigure(bar, one, other);
}

function sideOf({ name, unit, values }: Measured): Figure["subject"] {
  return { name, value: median(values), unit };
}
