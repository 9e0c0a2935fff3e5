import { isAbsolute, join } from "node:path";
import type { ConfigTable } from "./config-table.ts";
import { type HostPort, parseHostPort, PORT_MAX } from "./node-address.ts";

/** Where the truth about shards lives (README §5). */
export type CoordinatorKind = "static" | "embedded" | "etcd";

/** One address of a coordinator. */
export interface CoordinatorEndpoint extends HostPort {
  readonly isSecure: boolean;
}

/** Paths of PEM files; what is not given is undefined. */
export interface CoordinatorTlsFiles {
  readonly authority: string | undefined;
  readonly certificate: string | undefined;
  readonly key: string | undefined;
}

/** What `[coordinator]` says, complete with defaults. */
export interface CoordinatorSettings {
  readonly endpoints: readonly CoordinatorEndpoint[];
  /** Length of a leader's lease, L of §2.9. */
  readonly leaseMs: number;
  /** How long a follower keeps its promise, G of §2.9. */
  readonly graceMs: number;
  readonly tlsFiles: CoordinatorTlsFiles;
  readonly user: { readonly name: string; readonly passwordFile: string } | null;
}

const ENDPOINTS_DEFAULT = {
  embedded: [{ host: "127.0.0.1", port: 7100, isSecure: false }],
  etcd: [{ host: "127.0.0.1", port: 2379, isSecure: false }],
} as const;
const LEASE_MS_DEFAULT = 1500;
const GRACE_MS_DEFAULT = 2000;
const TIME_BOUNDS = { min: 1, max: 600_000 } as const;
/** Clocks of two nodes may differ by this much in rate (A1). */
const CLOCK_DRIFT = 0.01;
const MARGIN_MS = 300;
/** h of §2.2; a lease must outlast four heartbeats. */
const HEARTBEAT_MS = 200;
const ENDPOINTS_MAX = 16;
const USER_NAME = /^[\x21-\x7e]{1,128}$/;
const FAULTY: CoordinatorEndpoint = { host: "", port: 0, isSecure: false };

/**
 * Reads `[coordinator]` for a cluster whose coordinator is not static. Faults are added to the table's; the result is only of use
 * if there was none. Relative paths are those of files beside the configuration file, whose folder is `folder`.
 */
export function readCoordinatorTable(
  table: ConfigTable,
  kind: Exclude<CoordinatorKind, "static">,
  folder: string,
): CoordinatorSettings {
  const endpoints = readEndpoints(table, kind);
  const leaseMs = table.integer("lease_ms", TIME_BOUNDS) ?? LEASE_MS_DEFAULT;
  const graceMs = table.integer("grace_ms", TIME_BOUNDS) ?? GRACE_MS_DEFAULT;
  checkTimes(table, leaseMs, graceMs);
  const pathOf = (key: string): string | undefined => readPath(table, key, folder);
  const tlsFiles = { authority: pathOf("ca_file"), certificate: pathOf("cert_file"), key: pathOf("key_file") };
  const user = readUser(table, pathOf("password_file"));
  if (kind === "embedded") {
    for (const key of ["ca_file", "cert_file", "key_file", "user", "password_file"]) {
      if (table.has(key)) table.fault(key, "is for etcd: the embedded coordinator has neither TLS nor users");
    }
  } else {
    checkTls(table, endpoints);
  }
  table.refuseUnknownKeys();
  return Object.freeze({ endpoints, leaseMs, graceMs, tlsFiles, user });
}

function readEndpoints(table: ConfigTable, kind: Exclude<CoordinatorKind, "static">): readonly CoordinatorEndpoint[] {
  const texts = table.texts("endpoints");
  if (texts === undefined) return ENDPOINTS_DEFAULT[kind];
  if (texts.length === 0) table.fault("endpoints", "names no endpoint");
  if (texts.length > ENDPOINTS_MAX) table.fault("endpoints", `names more than ${ENDPOINTS_MAX} endpoints`);
  if (texts.length > 1 && kind === "embedded") {
    table.fault("endpoints", "must be one: the embedded coordinator is one process");
  }
  const seen = new Set<string>();
  return texts.map((text) => {
    const endpoint = parseEndpoint(text);
    if (typeof endpoint === "string") {
      table.faultAt("endpoints", text, endpoint);
      return FAULTY;
    }
    if (endpoint.isSecure && kind === "embedded") {
      table.faultAt("endpoints", text, "must be http: the embedded coordinator has no TLS");
    }
    const name = `${endpoint.host} ${endpoint.port}`;
    if (seen.has(name)) table.faultAt("endpoints", text, "is an endpoint given twice");
    seen.add(name);
    return endpoint;
  });
}

/** The reason, as a sentence's end, when it is none. */
function parseEndpoint(text: string): CoordinatorEndpoint | string {
  const match = /^(https?):\/\/([^/?#@]+)\/?$/i.exec(text);
  if (match === null) return "must be a URL such as http://127.0.0.1:2379, without a path";
  const authority = match[2] ?? "";
  if (!/:\d{1,5}$/.test(authority)) return `has no port: a port from 1 to ${PORT_MAX} is wanted`;
  const address = parseHostPort(authority);
  if (typeof address === "string") return address;
  return { ...address, isSecure: match[1]?.toLowerCase() === "https" };
}

/** §2.2: a lease that could outlive the promise it rests on would let two leaders serve reads. */
function checkTimes(table: ConfigTable, leaseMs: number, graceMs: number): void {
  const leastGraceMs = Math.ceil((leaseMs * (1 + CLOCK_DRIFT) + MARGIN_MS) / (1 - CLOCK_DRIFT));
  if (leaseMs * (1 + CLOCK_DRIFT) + MARGIN_MS > graceMs * (1 - CLOCK_DRIFT)) {
    const key = table.has("grace_ms") ? "grace_ms" : "lease_ms";
    const claim = `leaves no margin: with lease_ms = ${leaseMs}, grace_ms must be at least ${leastGraceMs}, and it is ${graceMs}`;
    table.fault(key, claim);
  }
  if (HEARTBEAT_MS > leaseMs / 4) {
    table.fault("lease_ms", `must be at least ${4 * HEARTBEAT_MS}: a lease must outlast four heartbeats`);
  }
}

function readPath(table: ConfigTable, key: string, folder: string): string | undefined {
  const path = table.text(key);
  if (path === undefined) return undefined;
  if (path === "" || path.includes("\0")) table.fault(key, "must be the path of a file");
  return isAbsolute(path) ? path : join(folder, path);
}

function readUser(table: ConfigTable, passwordFile: string | undefined): CoordinatorSettings["user"] {
  const name = table.text("user");
  if (name === undefined && passwordFile === undefined) return null;
  if (name !== undefined && !USER_NAME.test(name)) table.fault("user", "must be 1 to 128 visible characters");
  if (name === undefined) table.fault("password_file", "is of no use without user");
  else if (passwordFile === undefined) table.fault("user", "needs password_file, the file that holds its password");
  return name === undefined || passwordFile === undefined ? null : { name, passwordFile };
}

function checkTls(table: ConfigTable, endpoints: readonly CoordinatorEndpoint[]): void {
  for (const key of ["ca_file", "cert_file", "key_file"]) {
    if (table.has(key) && endpoints.some(({ isSecure }) => !isSecure)) {
      table.fault(key, "is for https, and an endpoint is http");
    }
  }
  if (table.has("cert_file") !== table.has("key_file")) {
    const [given, missing] = table.has("cert_file") ? ["cert_file", "key_file"] : ["key_file", "cert_file"];
    table.fault(given, `needs ${missing}, too`);
  }
  if (endpoints.some(({ isSecure }) => isSecure) && endpoints.some(({ isSecure }) => !isSecure)) {
    table.fault("endpoints", "mixes http and https");
  }
}
