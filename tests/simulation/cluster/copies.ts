import { SPACE } from "../../../src/model/entry.ts";
import { KvError } from "../../../src/model/errors.ts";
import type { SeenPage } from "../../../src/shard/shard-view.ts";
import { crc32 } from "../../../src/base/crc32.ts";
import type { SimMachine } from "./sim-machine.ts";

/** Instead of a hash: the copy has a row that it does not show. */
export const DAMAGED = "a damaged row";
const EVERYTHING = { kind: "scan", start: "", end: "", reverse: false, keysOnly: false } as const;
const UNBOUNDED = { rowsMax: 1_000_000, bytesMax: 1_000_000_000 };

/** A hash over all rows that a copy shows: what is in its tree with the settled part of its log on top. */
export function contentHash(machine: SimMachine): string {
  const { store } = machine;
  if (store === null) return "down";
  let page: SeenPage;
  try {
    page = store.view.page({ ...EVERYTHING, ...UNBOUNDED }, store.settledSequence, 0);
  } catch (error) {
    if (error instanceof KvError && error.code === "CORRUPT") return DAMAGED;
    throw error;
  }
  // No client of a run sets a content type that begins with "+": it is where the mistake M58 hides, which must show otherwise.
  const rows = page.items.map(({ key, value, version, expiryMs, contentType }) =>
    [key, value?.toString("latin1"), version, expiryMs, contentType.replace(/^\+.*/, "")].join("\u0001"),
  );
  return `${rows.length} rows, ${crc32(Buffer.from(rows.join("\u0002"), "latin1")).toString(16)}`;
}

/** The same over the rows of a tree as they are stored, with the counters kept beside them. */
export function treeHash(machine: SimMachine): string {
  const { snapshot } = machine.treeFile;
  const rows = Object.values(SPACE).flatMap((space) =>
    (snapshot.rows.get(space) ?? []).map(({ key, stored }) => `${space}\u0001${key}\u0001${stored.toString("latin1")}`),
  );
  const counters = ["versionBase", "logClockMs"].map((name) => `${name}=${snapshot.meta.get(name) ?? ""}`);
  const hash = crc32(Buffer.from(rows.join("\u0002"), "latin1")).toString(16);
  return `${rows.length} rows, ${hash}, ${counters.join(" ")}, applied ${snapshot.position.appliedSequence}`;
}

/** The first entry in which two logs differ, of those that both still hold; null when they agree. */
export function firstDifference(a: SimMachine, b: SimMachine): number | null {
  if (a.store === null || b.store === null) return null;
  const from = Math.max(a.store.log.startSequence, b.store.log.startSequence);
  const to = Math.min(a.store.log.lastSequence, b.store.log.lastSequence);
  for (let sequence = from; sequence <= to; sequence++) {
    const one = a.store.log.read(sequence, 1).bytes;
    if (!one.equals(b.store.log.read(sequence, 1).bytes)) return sequence;
  }
  return null;
}
