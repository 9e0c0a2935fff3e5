import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { findFreePorts } from "../../src/bench/suite/free-ports.ts";

/** PEM files with which etcd proves itself to its clients, and by which it asks them to prove themselves. */
export interface EtcdTlsFiles {
  readonly certificate: string;
  readonly key: string;
  /** When given, clients need a certificate that this authority signed. */
  readonly clientAuthority?: string;
}

const HOST = "127.0.0.1";
const READY_MS_MAX = 30_000;
const OUTPUT_CHARACTERS_MAX = 20_000;

/** Where a member runs: its host, its ports there, and words before its command line. */
export interface EtcdPlace {
  readonly host: string;
  readonly port: number;
  readonly peerPort: number;
  readonly wrapper: readonly string[];
}

interface Member extends EtcdPlace {
  readonly name: string;
  child: ChildProcess | null;
  output: string;
}

// Whatever becomes of this process, its members must not go on.
const WITH_THIS_PROCESS = ["setpriv", "--pdeathsig", "KILL"];

/**
 * A real etcd of one or three members on free loopback ports, with its data in a temporary folder. Members may be killed, stopped and
 * started again. They end with the test process, however it ends.
 */
export class EtcdCluster {
  readonly #folder = mkdtempSync(join(tmpdir(), "kv-etcd-"));
  readonly #members: readonly Member[];
  readonly #tls: EtcdTlsFiles | null;

  private constructor(places: readonly EtcdPlace[], tls: EtcdTlsFiles | null) {
    this.#tls = tls;
    this.#members = places.map((place, index) => ({ ...place, name: `m${index}`, child: null, output: "" }));
  }

  /** Starts all members and waits until they serve. */
  static async start(memberCount: 1 | 3, tls: EtcdTlsFiles | null = null): Promise<EtcdCluster> {
    const basePort = await findFreePorts(Array.from({ length: 2 * memberCount }, (_, offset) => offset));
    const places = Array.from({ length: memberCount }, (_, index) => {
      const port = basePort + 2 * index;
      return { host: HOST, port, peerPort: port + 1, wrapper: WITH_THIS_PROCESS };
    });
    return EtcdCluster.startAt(places, tls);
  }

  /** The same, one member at each place. */
  static async startAt(places: readonly EtcdPlace[], tls: EtcdTlsFiles | null = null): Promise<EtcdCluster> {
    const cluster = new EtcdCluster(places, tls);
    try {
      await cluster.startAll();
    } catch (error) {
      await cluster.dispose();
      throw error;
    }
    return cluster;
  }

  get ports(): readonly number[] {
    return this.#members.map(({ port }) => port);
  }

  /** What all members have printed lately, of their present lives. */
  get output(): string {
    return this.#members.map(({ name, output }) => `--- ${name}\n${output}`).join("\n");
  }

  isRunning(index: number): boolean {
    return this.#member(index).child !== null;
  }

  /** Where a member keeps its data. */
  dataDirectory(index: number): string {
    return join(this.#folder, this.#member(index).name);
  }

  /** Takes away the data of all members, which must not run. */
  wipe(): void {
    for (const { name } of this.#members) rmSync(join(this.#folder, name), { recursive: true, force: true });
  }

  async startAll(): Promise<void> {
    for (const member of this.#members) if (member.child === null) this.#start(member);
    await Promise.all(this.#members.map(async (member) => this.#waitReady(member)));
  }

  async startMember(index: number): Promise<void> {
    const member = this.#member(index);
    this.#start(member);
    await this.#waitReady(member);
  }

  /** `kill -9`, and waits until the process is gone. */
  async kill(index: number): Promise<void> {
    const { child } = this.#member(index);
    if (child === null) return;
    const exit = once(child, "exit");
    child.kill("SIGKILL");
    await exit;
    this.#member(index).child = null;
  }

  async killAll(): Promise<void> {
    await Promise.all(this.#members.map(async (_member, index) => this.kill(index)));
  }

  signal(index: number, signal: NodeJS.Signals): void {
    this.#member(index).child?.kill(signal);
  }

  /** Which member leads. Only without TLS. */
  async findLeader(): Promise<number> {
    for (const endMs = performance.now() + READY_MS_MAX; performance.now() < endMs;) {
      for (const [index, member] of this.#members.entries()) {
        const status = await post(member, "/v3/maintenance/status", {});
        if (status.leader !== undefined && status.leader === status.header?.member_id) return index;
      }
      await sleep(50);
    }
    throw new Error("etcd has no leader");
  }

  /** A request of the operator, such as adding a user. Only without TLS. */
  async administer(path: string, body: object, token?: string): Promise<EtcdAnswer> {
    return post(this.#member(0), path, body, token);
  }

  async dispose(): Promise<void> {
    await this.killAll();
    rmSync(this.#folder, { recursive: true, force: true });
  }

  #start(member: Member): void {
    const scheme = this.#tls === null ? "http" : "https";
    const client = `${scheme}://${member.host}:${member.port}`;
    const peer = `http://${member.host}:${member.peerPort}`;
    const parameters = [
      ["--name", member.name],
      ["--data-dir", join(this.#folder, member.name)],
      ["--listen-client-urls", client],
      ["--advertise-client-urls", client],
      ["--listen-peer-urls", peer],
      ["--initial-advertise-peer-urls", peer],
      [
        "--initial-cluster",
        this.#members.map(({ name, host, peerPort }) => `${name}=http://${host}:${peerPort}`).join(),
      ],
      ["--log-level", "error"],
      ...tlsParameters(this.#tls),
    ].flat();
    const [program = "", ...words] = [...member.wrapper, "etcd", ...parameters];
    const child = spawn(program, words, { stdio: ["ignore", "pipe", "pipe"] });
    for (const stream of [child.stdout, child.stderr]) {
      stream.on(
        "data",
        (chunk: Buffer) => (member.output = (member.output + chunk.toString()).slice(-OUTPUT_CHARACTERS_MAX)),
      );
    }
    member.child = child;
  }

  async #waitReady(member: Member): Promise<void> {
    for (const endMs = performance.now() + READY_MS_MAX; performance.now() < endMs;) {
      if (member.child === null || member.child.exitCode !== null) break;
      if (this.#tls === null ? await isHealthy(member) : member.output.length >= 0 && (await accepts(member))) {
        return;
      }
      await sleep(50);
    }
    throw new Error(`etcd did not start:\n${member.output}`);
  }

  #member(index: number): Member {
    const member = this.#members[index];
    if (member === undefined) throw new Error(`there is no member ${index}`);
    return member;
  }
}

export interface EtcdAnswer {
  readonly header?: { readonly member_id?: string };
  readonly leader?: string;
  readonly token?: string;
  readonly error?: string;
}

function tlsParameters(tls: EtcdTlsFiles | null): string[][] {
  if (tls === null) return [];
  const own = [
    ["--cert-file", tls.certificate],
    ["--key-file", tls.key],
  ];
  if (tls.clientAuthority === undefined) return own;
  return [...own, ["--client-cert-auth"], ["--trusted-ca-file", tls.clientAuthority]];
}

async function post({ host, port }: EtcdPlace, path: string, body: object, token?: string): Promise<EtcdAnswer> {
  try {
    const response = await fetch(`http://${host}:${port}${path}`, {
      method: "POST",
      body: JSON.stringify(body),
      headers: token === undefined ? {} : { Authorization: token },
      signal: AbortSignal.timeout(2000),
    });
    return (await response.json()) as EtcdAnswer;
  } catch (error) {
    return { error: String(error) };
  }
}

/** It has a leader and serves linearizable reads. */
async function isHealthy(member: EtcdPlace): Promise<boolean> {
  return (await post(member, "/v3/kv/range", { key: "AA==" })).header !== undefined;
}

async function accepts({ host, port }: EtcdPlace): Promise<boolean> {
  const { connect } = await import("node:net");
  return new Promise((resolve) => {
    const socket = connect({ host, port });
    socket.once("error", () => resolve(false));
    socket.once("connect", () => {
      socket.destroy();
      resolve(true);
    });
  });
}
