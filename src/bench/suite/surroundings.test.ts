import assert from "node:assert/strict";
import { realpathSync } from "node:fs";
import { tmpdir } from "node:os";
import { test } from "node:test";
import { fileSystemOf } from "./surroundings.ts";

test("the file system of a folder is that of the nearest mount point above it", () => {
  const folder = realpathSync(tmpdir());
  const mounts = ["/dev/a / ext4 rw 0 0", `tmpfs ${folder} tmpfs rw 0 0`, `none ${folder}x proc rw 0 0`, ""];
  assert.equal(fileSystemOf(folder, mounts.join("\n")), "tmpfs");
  assert.equal(fileSystemOf(folder, "/dev/a / ext4 rw 0 0\nnone /elsewhere proc rw 0 0"), "ext4");
});
