import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { SeededRandom } from "../base/random.ts";
import { FlowWindow, WINDOW_BYTES } from "./flow-window.ts";
import { ProtocolError } from "./protocol-error.ts";

describe("the window of bytes under way", () => {
  it("closes when too much is under way, and always opens again, past 2^32 bytes too", () => {
    const random = new SeededRandom(1);
    const sender = new FlowWindow();
    const receiver = new FlowWindow();
    let underWay: number[] = [];
    let sentBytes = 0;
    let closedCount = 0;
    while (sentBytes < 10 * 2 ** 32) {
      while (sender.roomBytes > 0) {
        const bytes = 1 + random.below(4 * WINDOW_BYTES);
        sender.onSent(bytes);
        underWay.push(bytes);
        sentBytes += bytes;
      }
      closedCount++;
      const reports = underWay.map((bytes) => receiver.onReceived(bytes)).filter((report) => report !== null);
      underWay = [];
      assert.ok(reports.length > 0, "a report is due");
      for (const report of reports) sender.onTaken(report);
      assert.ok(sender.roomBytes > 0);
    }
    assert.ok(closedCount > 100);
  });

  it("does not believe that more was taken than was sent", () => {
    const window = new FlowWindow();
    window.onSent(1000);
    window.onTaken(400);
    window.onTaken(400);
    assert.throws(() => window.onTaken(1001), ProtocolError);
    assert.throws(() => window.onTaken(399), ProtocolError);
    window.onTaken(1000);
    assert.equal(window.roomBytes, WINDOW_BYTES);
  });

  it("reports seldom", () => {
    const window = new FlowWindow();
    let reports = 0;
    for (let i = 0; i < 10_000; i++) if (window.onReceived(100) !== null) reports++;
    assert.equal(reports, 3);
  });
});
