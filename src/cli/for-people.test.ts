import assert from "node:assert/strict";
import { test } from "node:test";
import { missingMessage } from "./address-check.ts";
import { renderLogLine } from "./node-log-line.ts";
import { countOf, formatBytes, formatMs } from "./quantities.ts";
import { renderTable } from "./text-table.ts";

test("on a Mac the message about missing loopback addresses is the commands that make them", () => {
  assert.equal(
    missingMessage(["127.0.0.2", "127.0.0.22", "127.0.0.2"], "darwin"),
    "this machine does not have the addresses 127.0.0.2, 127.0.0.22; make them first (until the next reboot):\n" +
      "  sudo ifconfig lo0 alias 127.0.0.2 up\n" +
      "  sudo ifconfig lo0 alias 127.0.0.22 up",
  );
  assert.match(missingMessage(["10.0.0.9"], "darwin"), /change sharding\.toml/);
});

test("a node's log line shows time, sentence and fields, but not what stands in front of it anyway", () => {
  const line =
    '{"level":40,"time":1700000000000,"node":"a:1","shard":"Delhi","other":"b:2","why":"it is gone","msg":"Lost"}';
  assert.match(renderLogLine("a:1", line), /^\d\d:\d\d:\d\d warn: Lost other=b:2 why="it is gone"$/);
  assert.equal(renderLogLine("a:1", "kv: plain text"), "kv: plain text");
  assert.equal(renderLogLine("a:1", "{broken"), "{broken");
});

test("columns stand below each other, colours not counted", () => {
  const green = "\u001b[32mab\u001b[39m";
  assert.deepEqual(
    renderTable(
      [
        ["x", green, "1"],
        ["long", "a", "200"],
      ],
      new Set([2]),
    ),
    [`x     ${green}    1`, "long  a   200"],
  );
});

test("quantities read as people write them", () => {
  assert.deepEqual(
    [1, 0, 1234].map((count) => countOf(count, "entry")),
    ["1 entry", "0 entries", "1,234 entries"],
  );
  assert.deepEqual([countOf(2, "key"), countOf(1, "row")], ["2 keys", "1 row"]);
  assert.deepEqual([512, 1536, 200 * 1024].map(formatBytes), ["512 B", "1.5 KiB", "200 KiB"]);
  assert.deepEqual([0, 0.314, 12.4, 2345].map(formatMs), ["0 ms", "0.31 ms", "12 ms", "2.3 s"]);
});
