import assert from "node:assert/strict";
import { test } from "node:test";
import { ManualTimers } from "../../tests/support/manual-timers.ts";
import { SeededRandom } from "../base/random.ts";
import type { StreamEvents } from "./http-endpoint.ts";
import { WatchLoop } from "./watch-loop.ts";

/** A loop over streams that the test feeds. */
class Fixture {
  readonly timers: ManualTimers = new ManualTimers();
  readonly streams: { readonly events: StreamEvents; isStopped: boolean }[] = [];
  readonly loop: WatchLoop;
  hints = 0;

  constructor() {
    this.loop = new WatchLoop({
      timers: this.timers,
      random: new SeededRandom(1),
      open: (events) => {
        const stream = { events, isStopped: false };
        this.streams.push(stream);
        return { stop: () => void (stream.isStopped = true) };
      },
      readLine: (line) => {
        const text = line.toString();
        return text === "changed" || text === "ended" ? text : "alive";
      },
      onChange: () => this.hints++,
    });
  }

  feed(text: string): void {
    this.streams.at(-1)?.events.onData(Buffer.from(text));
  }
}

test("lines are told apart however the bytes are cut", () => {
  const text = "changed\nalive\nchanged\n\nchanged\n";
  for (let cut = 0; cut <= text.length; cut++) {
    const fixture = new Fixture();
    fixture.feed(text.slice(0, cut));
    fixture.feed(text.slice(cut));
    assert.equal(fixture.hints, 3);
    fixture.feed("chang");
    assert.equal(fixture.hints, 3, "half a line says nothing");
  }
});

test("a stream that ends is opened again, after pauses that grow while nothing comes", () => {
  const fixture = new Fixture();
  const pauses: number[] = [];
  for (let i = 0; i < 12; i++) {
    const startedMs = fixture.timers.nowMs();
    fixture.streams.at(-1)?.events.onEnd("it ended");
    assert(fixture.timers.step());
    pauses.push(fixture.timers.nowMs() - startedMs);
  }
  assert.equal(fixture.streams.length, 13);
  assert(
    pauses.every((pauseMs) => pauseMs >= 25 && pauseMs <= 3000),
    pauses.join(),
  );
  assert((pauses.at(-1) ?? 0) > 1000);
  fixture.feed("alive\n");
  const startedMs = fixture.timers.nowMs();
  fixture.streams.at(-1)?.events.onEnd("it ended");
  fixture.timers.step();
  assert(fixture.timers.nowMs() - startedMs < 100, "after a word from the other side, the pauses are short again");
});

test("half a line of a stream that ended is not joined to the next stream", () => {
  const fixture = new Fixture();
  fixture.feed("chan");
  fixture.streams.at(-1)?.events.onEnd("it ended");
  fixture.timers.step();
  fixture.feed("ged\nchanged\n");
  assert.equal(fixture.hints, 1);
});

test("a stream that says that it has ended, or a line without end, is given up", () => {
  const fixture = new Fixture();
  fixture.feed("ended\nchanged\n");
  assert.deepEqual([fixture.streams[0]?.isStopped, fixture.hints], [true, 0]);
  fixture.timers.step();
  fixture.feed("x".repeat(5_000_000));
  assert.equal(fixture.streams[1]?.isStopped, true);
  fixture.timers.step();
  assert.equal(fixture.streams.length, 3);
});

test("nothing is told, and nothing opened, after stop", () => {
  const fixture = new Fixture();
  fixture.streams.at(-1)?.events.onEnd("it ended");
  fixture.loop.stop();
  while (fixture.timers.step());
  assert.equal(fixture.streams.length, 1);
  const other = new Fixture();
  other.loop.stop();
  other.feed("changed\n");
  assert.deepEqual([other.hints, other.streams[0]?.isStopped], [0, true]);
});
