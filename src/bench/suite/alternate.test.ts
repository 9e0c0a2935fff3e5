import assert from "node:assert/strict";
import { test } from "node:test";
import { alternate, type Contestant } from "./alternate.ts";

const BAR = { label: "", direction: "at least", unit: "×", bar: 1, reach: 2 } as const;

test("both sides are measured in turn, and the ratios of rounds are what counts", async () => {
  const order: string[] = [];
  const contestant = (name: string, values: number[]): Contestant => ({
    name,
    unit: "ops/s",
    measure: () => {
      order.push(name);
      return Promise.resolve(values.shift() ?? 0);
    },
  });
  const figure = await alternate(BAR, {
    rounds: 3,
    say: () => {},
    // The machine was half as fast in the second round: the ratios are the same.
    subject: contestant("a", [100, 50, 120]),
    peer: contestant("b", [50, 25, 30]),
  });
  assert.deepEqual(order, ["a", "b", "a", "b", "a", "b"]);
  assert.deepEqual([figure.median, figure.min, figure.max], [2, 2, 4]);
  assert.deepEqual(figure.subject, { name: "a", value: 100, unit: "ops/s" });
  assert.deepEqual(figure.peer, { name: "b", value: 30, unit: "ops/s" });
});
