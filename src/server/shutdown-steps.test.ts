import assert from "node:assert/strict";
import { test } from "node:test";
import { silentLogger } from "../base/logger.ts";
import { ShutdownSteps } from "./shutdown-steps.ts";

test("steps run last first, each after the one before has ended, and only once", async () => {
  const steps = new ShutdownSteps(silentLogger);
  const events: string[] = [];
  steps.add((done) => {
    events.push("lock");
    done();
  });
  steps.add((done) => {
    events.push("network begins");
    setTimeout(() => {
      events.push("network ends");
      done();
    }, 5);
  });
  await Promise.all([steps.run(), steps.run()]);
  assert.deepEqual(events, ["network begins", "network ends", "lock"]);
});

test("a step that fails does not keep the others from running", async () => {
  const errors: string[] = [];
  const steps = new ShutdownSteps({ ...silentLogger, error: (message) => errors.push(message) });
  let isReleased = false;
  steps.add((done) => {
    isReleased = true;
    done();
  });
  steps.add(() => {
    throw new Error("broken");
  });
  await steps.run();
  assert.equal(isReleased, true);
  assert.deepEqual(errors, ["A step of the shutdown failed"]);
});
