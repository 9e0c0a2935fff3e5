import { X509Certificate } from "node:crypto";
import { readFileSync, statSync } from "node:fs";
import { createSecureContext } from "node:tls";
import type { Clock, Timers } from "../base/clock.ts";
import type { Random } from "../base/random.ts";
import type { TlsCredentials } from "../coordinator/checked-agent.ts";
import type { Coordinator } from "../coordinator/coordinator.ts";
import { EmbeddedCoordinator } from "../coordinator/embedded-coordinator.ts";
import { EtcdCoordinator } from "../coordinator/etcd-coordinator.ts";
import type { EtcdUser } from "../coordinator/etcd-login.ts";
import { KvError } from "../model/errors.ts";
import type { CoordinatorKind, CoordinatorSettings } from "./coordinator-table.ts";

const FILE_BYTES_MAX = 1_048_576;
const PASSWORD_LENGTH_MAX = 1024;
/** Bits of a file's mode that let others than its owner at it. */
const OTHERS = 0o077;

/**
 * Makes the client of the coordinator that the configuration names; connects when it is first asked. Throws CONFIG_INVALID when a
 * file that it needs is missing, malformed, or secret and readable by others; no message holds a secret.
 */
export function openCoordinator(
  kind: Exclude<CoordinatorKind, "static">,
  settings: CoordinatorSettings,
  parts: { readonly clock: Clock & Timers; readonly random: Random; readonly deadlineMs?: number },
): Coordinator {
  const tls = readTls(settings);
  const endpoints = settings.endpoints.map(({ host, port, isSecure }) => ({ host, port, tls: isSecure ? tls : null }));
  const [address] = endpoints;
  if (address === undefined) throw new KvError("CONFIG_INVALID", "coordinator.endpoints names no endpoint");
  if (kind === "embedded") return new EmbeddedCoordinator({ ...parts, address });
  return new EtcdCoordinator({ ...parts, endpoints, user: readUser(settings) });
}

function readTls({ tlsFiles }: CoordinatorSettings): TlsCredentials {
  const { authority, certificate, key } = tlsFiles;
  const credentials: TlsCredentials = {
    authority: authority === undefined ? undefined : readText("ca_file", authority),
    certificate: certificate === undefined ? undefined : readText("cert_file", certificate),
    key: key === undefined ? undefined : readText("key_file", key, { isSecret: true }),
  };
  try {
    const { authority: ca, certificate: cert, key: privateKey } = credentials;
    // A file without any certificate in it is no error to the context: it would trust nobody.
    if (ca !== undefined) void new X509Certificate(ca);
    createSecureContext({
      ...(ca === undefined ? {} : { ca }),
      ...(cert === undefined ? {} : { cert }),
      ...(privateKey === undefined ? {} : { key: privateKey }),
    });
  } catch (cause) {
    const reason = cause instanceof Error && "code" in cause ? String(cause.code) : "they are malformed";
    const paths = [authority, certificate, key].filter((path) => path !== undefined).join(", ");
    throw new KvError("CONFIG_INVALID", `The TLS files of [coordinator] cannot be used: ${paths} (${reason})`);
  }
  return credentials;
}

function readUser({ user }: CoordinatorSettings): EtcdUser | null {
  if (user === null) return null;
  const { name, passwordFile } = user;
  // Editors end files with a line feed.
  const password = readText("password_file", passwordFile, { isSecret: true }).replace(/\r?\n$/, "");
  if (password === "" || password.length > PASSWORD_LENGTH_MAX) {
    throw refusal("password_file", passwordFile, `must hold 1 to ${PASSWORD_LENGTH_MAX} characters`);
  }
  return { name, password };
}

function readText(key: string, path: string, { isSecret = false }: { readonly isSecret?: boolean } = {}): string {
  try {
    const status = statSync(path);
    if (!status.isFile()) throw refusal(key, path, "is not a file");
    if (isSecret && (status.mode & OTHERS) !== 0) {
      const mode = (status.mode & 0o777).toString(8).padStart(4, "0");
      throw refusal(key, path, `has mode ${mode}: others could read it; set it with: chmod 600`);
    }
    if (status.size > FILE_BYTES_MAX) throw refusal(key, path, `has more than ${FILE_BYTES_MAX} bytes`);
    return readFileSync(path, "utf8");
  } catch (error) {
    if (error instanceof KvError) throw error;
    throw refusal(key, path, error instanceof Error ? error.message : String(error));
  }
}

function refusal(key: string, path: string, reason: string): KvError {
  return new KvError("CONFIG_INVALID", `coordinator.${key}: ${path} ${reason}`);
}
