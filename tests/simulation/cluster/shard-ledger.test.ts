import assert from "node:assert/strict";
import { test } from "node:test";
import { ShardLedger } from "./shard-ledger.ts";

const SHARD = { name: "Hyderabad", index: 0, members: [] };

interface Beginning {
  readonly start: number;
  /** The epochs in its log and the entries that they begin with. */
  readonly log: readonly (readonly [number, number])[];
  readonly otherLeads?: boolean;
}

function begin(ledger: ShardLedger, epoch: number, { start, log, otherLeads = false }: Beginning): void {
  const term = String(ledger.terms.length);
  const leader = { node: `node ${epoch}`, store: term, generation: 0 };
  const epochs = log.map(([of, firstSequence]) => ({ epoch: of, term, firstSequence, versionBase: 0, lineage: 0 }));
  const at = { start, epochs, seenEpoch: epoch - 1, atMs: ledger.terms.length, otherLeads };
  ledger.begin({ epoch, term, leader, lineage: 0, inSync: [], setVersion: 1 }, at);
}

test("an entry is cut by the first later leadership whose log lacks it, and back when a later one has it again", () => {
  const ledger = new ShardLedger(SHARD);
  begin(ledger, 1, { start: 1, log: [] });
  begin(ledger, 1001, { start: 20, log: [[1, 1]] });
  assert.deepEqual(ledger.fateOf(1, 19), { cutBy: null, isBack: false });
  assert.equal(ledger.fateOf(1, 23).cutBy?.epoch, 1001);
  begin(ledger, 2001, { start: 29, log: [[1, 1]] });
  assert.equal(ledger.fateOf(1, 23).isBack, true);
});

test("a rival that begins beside a leader takes nothing from those who led before (simulation seed 200930)", () => {
  const ledger = new ShardLedger(SHARD);
  begin(ledger, 1, { start: 1, log: [] });
  begin(ledger, 1001, { start: 29, log: [[1, 1]] });
  begin(ledger, 1000, { start: 1, log: [], otherLeads: true });
  assert.equal(ledger.splitAtMs, 2);
  assert.equal(ledger.fateOf(1, 23).cutBy, null);
});
