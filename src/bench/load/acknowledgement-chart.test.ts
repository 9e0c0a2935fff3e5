import assert from "node:assert/strict";
import { test } from "node:test";
import { AcknowledgementChart } from "./acknowledgement-chart.ts";

test("a chart shows each piece of time beside the best one, and what had nothing at all", () => {
  const chart = new AcknowledgementChart({ beganMs: 1000, columnMs: 100, columns: 4 });
  for (let count = 0; count < 16; count++) chart.acknowledged(1050);
  for (let count = 0; count < 8; count++) chart.acknowledged(1299);
  chart.acknowledged(1300);
  chart.acknowledged(1500);
  assert.equal(chart.render(), "█·▅▁");
});
