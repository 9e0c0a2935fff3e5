import { decodeDocument, DOCUMENT_VERSION, invalid, textItem } from "./document-fields.ts";
import { SLOT_COUNT, type Slot } from "./slot.ts";
import type { SlotMap } from "./topology.ts";

const SHARD_PATTERN = /^[A-Za-z0-9_-]{1,64}$/;

/** The document as JSON text; moved slots in ascending order, so that equal maps are equal texts. */
export function encodeSlotMapDocument({ version, modulo, moved }: SlotMap): string {
  const pairs = [...moved].sort(([left], [right]) => left - right);
  return JSON.stringify({ v: DOCUMENT_VERSION, ver: version, modulo, moved: pairs });
}

/** Reads `slotmap`. Throws KvError DOCUMENT_INVALID. Whether its shards exist is for the topology to say. */
export function decodeSlotMapDocument(text: string): SlotMap {
  return decodeDocument(text, "slotmap", (fields) => {
    const version = fields.whole("ver", { min: 1, max: Number.MAX_SAFE_INTEGER });
    const modulo = fields.list("modulo", SLOT_COUNT, (value, path) => textItem(value, path, SHARD_PATTERN));
    if (modulo.length === 0) throw invalid("slotmap.modulo is empty");
    if (new Set(modulo).size < modulo.length) throw invalid("slotmap.modulo names a shard twice");
    const pairs = fields.list("moved", SLOT_COUNT, readMoved);
    const moved = new Map(pairs);
    if (moved.size < pairs.length) throw invalid("slotmap.moved names a slot twice");
    return { version, modulo, moved };
  });
}

function readMoved(value: unknown, path: string): readonly [Slot, string] {
  if (!Array.isArray(value) || value.length !== 2) throw invalid(`${path} is not a pair of slot and shard`);
  const slot: unknown = value[0];
  const shard: unknown = value[1];
  if (!isSlot(slot)) throw invalid(`${path} has a slot that is not from 0 to ${SLOT_COUNT - 1}`);
  return [slot, textItem(shard, path, SHARD_PATTERN)];
}

function isSlot(value: unknown): value is Slot {
  return typeof value === "number" && Number.isSafeInteger(value) && value >= 0 && value < SLOT_COUNT;
}
