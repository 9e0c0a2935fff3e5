import assert from "node:assert/strict";
import { describe, test } from "node:test";
import fc from "fast-check";
import { proveCaught } from "../../tests/support/prove-caught.ts";
import { trimmableThrough, type RetentionInputs } from "./retention.ts";

const NOBODY = Number.MAX_SAFE_INTEGER;
/** Five full segments of ten entries and 100 bytes each, and 50 bytes in the active one; the tree has all of it. */
const PLAIN: RetentionInputs = {
  fullSegments: [10, 20, 30, 40, 50].map((lastSequence) => ({ lastSequence, sizeBytes: 100 })),
  logBytes: 550,
  appliedSequence: 60,
  neededByInSync: NOBODY,
  neededByAnyone: NOBODY,
  retainBytes: 0,
  retainBytesMax: 1_000_000,
};

describe("what may be trimmed from the log", () => {
  test("is every full segment when nobody needs anything and nothing need be kept", () => {
    assert.equal(trimmableThrough(PLAIN), 50);
  });

  test("is nothing that the tree does not have", () => {
    assert.equal(trimmableThrough({ ...PLAIN, appliedSequence: 30 }), 30);
    assert.equal(trimmableThrough({ ...PLAIN, appliedSequence: 29 }), 20);
    assert.equal(trimmableThrough({ ...PLAIN, appliedSequence: 0 }), 0);
  });

  test("leaves at least as many bytes as are to be kept", () => {
    assert.equal(trimmableThrough({ ...PLAIN, retainBytes: 350 }), 20);
    assert.equal(trimmableThrough({ ...PLAIN, retainBytes: 351 }), 10);
    assert.equal(trimmableThrough({ ...PLAIN, retainBytes: 550 }), 0);
  });

  test("is nothing that any replica may still ask for (M54)", () => {
    proveCaught("M54", () => {
      assert.equal(trimmableThrough({ ...PLAIN, neededByAnyone: 31 }), 30);
      assert.equal(trimmableThrough({ ...PLAIN, neededByAnyone: 30 }), 20);
      assert.equal(trimmableThrough({ ...PLAIN, neededByAnyone: 0 }), 0);
    });
  });

  test("beyond the maximum is also what a member outside the in-sync set needs: it is cut off", () => {
    assert.equal(trimmableThrough({ ...PLAIN, neededByAnyone: 0, retainBytesMax: 350 }), 20);
    assert.equal(trimmableThrough({ ...PLAIN, neededByAnyone: 0, retainBytesMax: 549 }), 10);
    assert.equal(trimmableThrough({ ...PLAIN, neededByAnyone: 0, retainBytesMax: 550 }), 0);
  });

  test("is never what an in-sync member needs, whatever the maximum", () => {
    assert.equal(trimmableThrough({ ...PLAIN, neededByInSync: 21, retainBytesMax: 0 }), 20);
    assert.equal(trimmableThrough({ ...PLAIN, neededByInSync: 0, retainBytesMax: 0 }), 0);
  });

  test("without full segments is nothing", () => {
    assert.equal(trimmableThrough({ ...PLAIN, fullSegments: [], logBytes: 50 }), 0);
  });

  test("follows all of these rules at once, and goes as far as they let it", () => {
    const inputs = fc
      .record({
        sizes: fc.array(
          fc.record({ entries: fc.integer({ min: 1, max: 20 }), sizeBytes: fc.integer({ min: 1, max: 300 }) }),
          { maxLength: 8 },
        ),
        activeBytes: fc.nat({ max: 200 }),
        appliedSequence: fc.nat({ max: 160 }),
        neededByInSync: fc.oneof(fc.constant(NOBODY), fc.nat({ max: 160 })),
        neededByAnyone: fc.oneof(fc.constant(NOBODY), fc.nat({ max: 160 })),
        retainBytes: fc.nat({ max: 1000 }),
        retainBytesMax: fc.nat({ max: 2000 }),
      })
      .map(({ sizes, activeBytes, ...rest }): RetentionInputs => {
        let lastSequence = 0;
        const fullSegments = sizes.map(({ entries, sizeBytes }) => {
          lastSequence += entries;
          return { lastSequence, sizeBytes };
        });
        const logBytes = sizes.reduce((sum, { sizeBytes }) => sum + sizeBytes, activeBytes);
        return { ...rest, fullSegments, logBytes };
      });
    fc.assert(
      fc.property(inputs, (given) => {
        const through = trimmableThrough(given);
        const trimmed = given.fullSegments.filter(({ lastSequence }) => lastSequence <= through);
        assert.ok(through === 0 || trimmed.at(-1)?.lastSequence === through, "whole segments only");
        // A segment may go when nothing stands against it; the first that must stay keeps all behind it.
        let bytesBefore = given.logBytes;
        for (const [index, { lastSequence, sizeBytes }] of given.fullSegments.entries()) {
          const bytesAfter = bytesBefore - sizeBytes;
          const isNeeded =
            lastSequence >= given.neededByInSync ||
            (lastSequence >= given.neededByAnyone && bytesBefore <= given.retainBytesMax);
          const mustStay = lastSequence > given.appliedSequence || bytesAfter < given.retainBytes || isNeeded;
          assert.equal(index < trimmed.length, !mustStay, `segment ${index}`);
          if (mustStay) break;
          bytesBefore = bytesAfter;
        }
      }),
      { numRuns: 2000 },
    );
  });
});
