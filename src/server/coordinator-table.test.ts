import assert from "node:assert/strict";
import { test } from "node:test";
import { KvError } from "../model/errors.ts";
import { parse } from "smol-toml";
import { ConfigFaults } from "./config-faults.ts";
import { parseConfig } from "./config.ts";
import { ConfigTable } from "./config-table.ts";
import { type CoordinatorSettings, readCoordinatorTable } from "./coordinator-table.ts";

type Kind = "embedded" | "etcd";

/** The settings of `[coordinator]` with these lines, and what is wrong with them. */
function read(kind: Kind, lines: string): { settings: CoordinatorSettings; faults: string[] } {
  const faults = new ConfigFaults("sharding.toml", new Map());
  const table = new ConfigTable("coordinator", parse(lines, { integersAsBigInt: true }), faults);
  const settings = readCoordinatorTable(table, kind, "conf");
  try {
    faults.throwIfAny();
  } catch (error) {
    assert(error instanceof KvError);
    return {
      settings,
      faults: error.message.split("\n").map((line) => line.replace("sharding.toml: coordinator.", "")),
    };
  }
  return { settings, faults: [] };
}

test("without a word about it, the coordinator is on this machine and the times are the documented ones", () => {
  const { settings, faults } = read("embedded", "");
  assert.deepEqual(faults, []);
  assert.deepEqual(settings, {
    endpoints: [{ host: "127.0.0.1", port: 7100, isSecure: false }],
    leaseMs: 1500,
    graceMs: 2000,
    tlsFiles: { authority: undefined, certificate: undefined, key: undefined },
    user: null,
  });
  assert.deepEqual(read("etcd", "").settings.endpoints, [{ host: "127.0.0.1", port: 2379, isSecure: false }]);
});

test("all keys are taken, and files are looked for beside the configuration file", () => {
  const { settings, faults } = read(
    "etcd",
    `endpoints = ["https://10.0.0.1:2379", "https://[FD00::2]:2379/", "HTTPS://Etcd-3.example.org:443"]
     lease_ms = 3000
     grace_ms = 4000
     ca_file = "ca.pem"
     cert_file = "/etc/kv/client.pem"
     key_file = "client.key"
     user = "kv"
     password_file = "secret/password"`,
  );
  assert.deepEqual(faults, []);
  assert.deepEqual(settings, {
    endpoints: [
      { host: "10.0.0.1", port: 2379, isSecure: true },
      { host: "fd00::2", port: 2379, isSecure: true },
      { host: "etcd-3.example.org", port: 443, isSecure: true },
    ],
    leaseMs: 3000,
    graceMs: 4000,
    tlsFiles: { authority: "conf/ca.pem", certificate: "/etc/kv/client.pem", key: "conf/client.key" },
    user: { name: "kv", passwordFile: "conf/secret/password" },
  });
});

const REFUSALS: readonly (readonly [Kind, string, string])[] = [
  ["etcd", "endpoints = []", "endpoints = [] names no endpoint"],
  ["etcd", 'endpoints = "http://a:1"', 'endpoints = "http://a:1" must be an array of strings'],
  ["etcd", 'endpoints = ["a:1"]', 'endpoints = "a:1" must be a URL such as http://127.0.0.1:2379, without a path'],
  [
    "etcd",
    'endpoints = ["ftp://a:1"]',
    'endpoints = "ftp://a:1" must be a URL such as http://127.0.0.1:2379, without a path',
  ],
  [
    "etcd",
    'endpoints = ["http://u:p@a:1"]',
    'endpoints = "http://u:p@a:1" must be a URL such as http://127.0.0.1:2379, without a path',
  ],
  [
    "etcd",
    'endpoints = ["http://a:1/v3"]',
    'endpoints = "http://a:1/v3" must be a URL such as http://127.0.0.1:2379, without a path',
  ],
  ["etcd", 'endpoints = ["http://a"]', 'endpoints = "http://a" has no port: a port from 1 to 65535 is wanted'],
  ["etcd", 'endpoints = ["http://a:0"]', 'endpoints = "http://a:0" has port 0, which is not from 1 to 65535'],
  ["etcd", 'endpoints = ["http://a:1", "http://A:1/"]', 'endpoints = "http://A:1/" is an endpoint given twice'],
  [
    "etcd",
    'endpoints = ["http://a:1", "https://b:1"]',
    'endpoints = ["http://a:1","https://b:1"] mixes http and https',
  ],
  [
    "embedded",
    'endpoints = ["http://a:1", "http://b:1"]',
    'endpoints = ["http://a:1","http://b:1"] must be one: the embedded coordinator is one process',
  ],
  [
    "embedded",
    'endpoints = ["https://a:1"]',
    'endpoints = "https://a:1" must be http: the embedded coordinator has no TLS',
  ],
  [
    "embedded",
    'user = "a"\npassword_file = "b"',
    'user = "a" is for etcd: the embedded coordinator has neither TLS nor users',
  ],
  ["etcd", "lease_ms = 1.5", "lease_ms = 1.5 must be an integer from 1 to 600000"],
  ["etcd", "lease_ms = 0", "lease_ms = 0 must be an integer from 1 to 600000"],
  [
    "etcd",
    "lease_ms = 1664",
    "lease_ms = 1664 leaves no margin: with lease_ms = 1664, grace_ms must be at least 2001, and it is 2000",
  ],
  [
    "etcd",
    "grace_ms = 1833",
    "grace_ms = 1833 leaves no margin: with lease_ms = 1500, grace_ms must be at least 1834, and it is 1833",
  ],
  ["etcd", "lease_ms = 799", "lease_ms = 799 must be at least 800: a lease must outlast four heartbeats"],
  ["etcd", 'user = "kv"', 'user = "kv" needs password_file, the file that holds its password'],
  ["etcd", 'password_file = "p"', 'password_file = "p" is of no use without user'],
  [
    "etcd",
    'password = "secret"',
    'password = "secret" is not a known key; known here: endpoints, lease_ms, grace_ms, ca_file, cert_file, key_file, password_file, user',
  ],
  ["etcd", 'ca_file = "ca.pem"', 'ca_file = "ca.pem" is for https, and an endpoint is http'],
  ["etcd", 'endpoints = ["https://a:1"]\ncert_file = "c"', 'cert_file = "c" needs key_file, too'],
  ["etcd", 'endpoints = ["https://a:1"]\nkey_file = "c"', 'key_file = "c" needs cert_file, too'],
  ["etcd", 'endpoints = ["https://a:1"]\nca_file = ""', 'ca_file = "" must be the path of a file'],
];

for (const [kind, lines, expected] of REFUSALS) {
  test(`${lines.replaceAll("\n", ", ")} is refused`, () => {
    assert(read(kind, lines).faults.includes(expected), JSON.stringify(read(kind, lines).faults));
  });
}

test("the least grace that a lease allows is accepted, and the greatest lease that a grace allows", () => {
  assert.deepEqual(read("etcd", "grace_ms = 1834").faults, []);
  assert.deepEqual(read("etcd", "lease_ms = 1663").faults, []);
  assert.deepEqual(read("etcd", "lease_ms = 800\ngrace_ms = 1120").faults, []);
});

test("a file that asks for a coordinator has its [coordinator] checked with the rest of it", () => {
  const shards = '[[shards]]\nname = "a"\nidx = 0\naddress = "127.0.0.2:8080"\n';
  const text = `[cluster]\ncoordinator = "etcd"\n[coordinator]\nlease_ms = 5000\n${shards}`;
  assert.throws(
    () => parseConfig(text, "sharding.toml"),
    (error) => {
      assert(error instanceof KvError);
      assert.deepEqual(error.message.split("\n"), [
        "sharding.toml:4: coordinator.lease_ms = 5000 leaves no margin: with lease_ms = 5000, grace_ms must be at least 5405, and it is 2000",
      ]);
      return true;
    },
  );
});
