import { isUtf8 } from "node:buffer";
import { type Entry, type Mutation, SPACE } from "../model/entry.ts";
import { keyForPeople, keyOfBinary } from "../model/key.ts";

const PREVIEW_CHARACTERS_MAX = 60;

/** A log entry for people: where it stands, when it was written, and each change that it makes. */
export function renderEntry(entry: Entry): string {
  const { sequence, epoch, timestampMs, body } = entry;
  const head = `entry ${sequence} of epoch ${epoch}, ${new Date(timestampMs).toISOString()}`;
  if (body.kind === "data") {
    return [`${head}:`, ...body.mutations.map((mutation) => `  ${renderMutation(mutation)}`)].join("\n");
  }
  if (body.kind === "epochStart") return `${head}: epoch ${epoch} starts`;
  return `${head}: ${body.kind === "clear" ? "all keys are removed" : "nothing (a mark in the log)"}`;
}

/** The same for programs: values as base64, keys as they are in NDJSON. */
export function entryMembers(entry: Entry): object {
  const { sequence, epoch, timestampMs, body } = entry;
  const mutations =
    body.kind !== "data"
      ? []
      : body.mutations.map(({ space, key, value }) => ({
          space,
          key_base64: Buffer.from(key, "latin1").toString("base64"),
          value_base64: value === null ? null : value.toString("base64"),
        }));
  return { sequence, epoch, timestamp_ms: timestampMs, kind: body.kind, mutations };
}

function renderMutation({ space, key, value }: Mutation): string {
  if (space !== SPACE.user) return "a change to what the shard keeps for itself";
  const name = JSON.stringify(keyForPeople(keyOfBinary(key)));
  return value === null ? `del ${name}` : `set ${name} = ${preview(value)}`;
}

function preview(value: Buffer): string {
  if (!isUtf8(value)) return `${value.length} bytes that are not text`;
  const text = value.toString("utf8");
  const isShort = text.length <= PREVIEW_CHARACTERS_MAX;
  return isShort
    ? JSON.stringify(text)
    : `${JSON.stringify(text.slice(0, PREVIEW_CHARACTERS_MAX))}… (${value.length} bytes)`;
}
