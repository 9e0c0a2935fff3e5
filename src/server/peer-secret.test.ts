import assert from "node:assert/strict";
import { chmodSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { KvError } from "../model/errors.ts";
import { checkExposure } from "./exposure.ts";
import { readPeerSecret } from "./peer-secret.ts";

const directory = mkdtempSync(join(tmpdir(), "kv-secret-"));
after(() => rmSync(directory, { recursive: true }));
const SECRET = "correct horse battery";

function fileWith(text: string, mode = 0o600): string {
  const path = join(directory, "tokens.toml");
  writeFileSync(path, text);
  chmodSync(path, mode);
  return path;
}

function refusalOf(path: string): string {
  try {
    readPeerSecret(path);
  } catch (error) {
    assert.ok(error instanceof KvError && error.code === "CONFIG_INVALID");
    assert.ok(error.message.includes(path), "the message names the file");
    assert.ok(!error.message.includes(SECRET), "the message does not hold the secret");
    return error.message;
  }
  return "accepted";
}

test("without a file the secret is empty", () => {
  assert.equal(readPeerSecret(undefined).length, 0);
  assert.equal(readPeerSecret("").length, 0);
});

test("the secret is the file's text under peer", () => {
  assert.equal(readPeerSecret(fileWith(`peer = "${SECRET}"\n`)).toString(), SECRET);
});

test("a file that others can read is refused", () => {
  for (const mode of [0o640, 0o604, 0o644, 0o620]) {
    assert.match(refusalOf(fileWith(`peer = "${SECRET}"`, mode)), /others could read it/);
  }
});

test("whatever else is wrong with the file is refused without telling the secret", () => {
  assert.match(refusalOf(fileWith(`peer = "${SECRET}`)), /is not TOML \(line 1/);
  assert.match(refusalOf(fileWith(`peer = "short"`)), /16 to 1024 characters/);
  assert.match(refusalOf(fileWith("")), /16 to 1024 characters/);
  assert.match(refusalOf(fileWith("peer = 12345678901234567")), /16 to 1024 characters|is not TOML/);
  assert.match(refusalOf(fileWith(`peer = "${SECRET}"\nadmin = "x"`)), /not supported by this version/);
  assert.match(refusalOf(fileWith(`peer = "${SECRET}"\nroot = "x"`)), /not a known key/);
  assert.match(refusalOf(join(directory, "missing.toml")), /ENOENT/);
  assert.match(refusalOf(directory), /is not a file/);
});

test("an address that other machines can reach needs a secret or --insecure", () => {
  const at = (host: string): Parameters<typeof checkExposure>[0] => ({
    node: `${host}:8080`,
    peer: `${host}:9080`,
    resp: `${host}:10080`,
  });
  const nothing = { hasSecret: false, isInsecure: false };
  for (const host of ["127.0.0.2", "localhost", "[::1]"]) checkExposure(at(host), nothing);
  for (const host of ["10.0.0.1", "192.168.1.5", "db.example", "[fe80::1]", "localhost.example"]) {
    assert.throws(() => checkExposure(at(host), nothing), KvError, host);
    checkExposure(at(host), { hasSecret: true, isInsecure: false });
    checkExposure(at(host), { hasSecret: false, isInsecure: true });
  }
  assert.throws(() => checkExposure({ ...at("127.0.0.2"), peer: "10.0.0.1:9080" }, nothing), KvError);
});
