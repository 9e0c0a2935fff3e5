import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, it } from "node:test";
import { LIMITS } from "../../src/model/limits.ts";
import { isMessageType } from "../../src/replication/message-codec.ts";
import { WINDOW_BYTES } from "../../src/wire/flow-window.ts";
import { FRAME, FRAME_HEADER_BYTES, PROTOCOL_VERSION } from "../../src/wire/frame.ts";
import { DEFAULT_TIMINGS } from "../../src/wire/tcp-peer-network.ts";

const root = join(import.meta.dirname, "../..");
const document = readFileSync(join(root, "docs/protocol.md"), "utf8");
const messagesSource = readFileSync(join(root, "src/replication/messages.ts"), "utf8");

/** The cells of every table row that matches `first` in its first cell. */
function rows(first: RegExp): string[][] {
  return document
    .split("\n")
    .filter((line) => line.startsWith("|"))
    .map((line) =>
      line
        .split("|")
        .slice(1, -1)
        .map((cell) => cell.trim()),
    )
    .filter((cells) => first.test(cells[0] ?? ""));
}

/** The names of the fields of an interface of messages.ts, those of `LogEnd` written as "end". */
function fieldsOf(name: string): string[] {
  const match = new RegExp(`export interface ${name} (extends LogEnd )?\\{([^}]*)\\}`).exec(messagesSource);
  assert.ok(match !== null, `messages.ts has an interface ${name}`);
  const own = [...(match[2] ?? "").matchAll(/readonly (\w+)\??:/g)].map((field) => field[1] ?? "");
  return [...own, ...(match[1] === undefined ? [] : ["end"])].sort();
}

describe("docs/protocol.md", () => {
  it("has the version and every frame type with its number", () => {
    const versions = /\n## Versions\n([^]*?)\n## /.exec(document)?.[1] ?? "";
    assert.equal([...versions.matchAll(/^\| (\d+) \|/gm)].at(-1)?.[1], String(PROTOCOL_VERSION));
    const written = rows(/^\d+$/).filter(([, name]) => /^[A-Z]+$/.test(name ?? ""));
    const expected = Object.entries(FRAME).map(([name, number]) => `${number} ${name.toUpperCase()}`);
    assert.deepEqual(
      written.map(([number, name]) => `${number} ${name}`),
      expected,
    );
  });

  it("has every message of replication with its fields, and no other", () => {
    const table = /export interface MessageHeaders \{([^}]*)\}/.exec(messagesSource)?.[1] ?? "";
    const types = [...table.matchAll(/(\w+): (\w+);/g)].map(([, type = "", name = ""]) => ({ type, name }));
    assert.ok(types.length > 10);
    const written = rows(/^[A-Z_]{2,}$/);
    assert.deepEqual(written.map(([type = ""]) => type).sort(), types.map(({ type }) => type).sort());
    for (const { type, name } of types) {
      assert.ok(isMessageType(type), type);
      const header = written.find(([candidate]) => candidate === type)?.[2] ?? "";
      const fields = header.split(",").map((field) => field.replace("or null", "").replaceAll("*", "").trim());
      assert.deepEqual(fields.sort(), fieldsOf(name), type);
    }
  });

  it("has the limits that are in force", () => {
    const numbers = [
      FRAME_HEADER_BYTES,
      LIMITS.frameBytesMax,
      LIMITS.peerHandshakeBytesMax,
      LIMITS.peerHandshakeBytesMax - FRAME_HEADER_BYTES,
      LIMITS.peerHandshakesMax,
      LIMITS.peerFragmentBytes,
      LIMITS.messageBytesMax,
      LIMITS.peerPartialMessagesMax,
      LIMITS.peerPartialBytesMax,
      LIMITS.peerOutgoingBytesMax,
      LIMITS.peerRequestsInFlightMax,
      LIMITS.peerHeaderBytesMax,
      LIMITS.valueBytesMax,
      LIMITS.ttlMsMax,
      LIMITS.scanPageBytesMax,
      WINDOW_BYTES,
      DEFAULT_TIMINGS.backoffFirstMs,
    ];
    for (const number of numbers) assert.ok(document.includes(number.toLocaleString("en-US")), String(number));
    for (const ms of [DEFAULT_TIMINGS.handshakeMs, DEFAULT_TIMINGS.pingAfterMs, DEFAULT_TIMINGS.silenceMs]) {
      assert.ok(document.includes(`${ms / 1000} s`), String(ms));
    }
  });
});
