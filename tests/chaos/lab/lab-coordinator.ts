import { mkdirSync, rmSync } from "node:fs";
import { programCommand, RunningProgram } from "../../cluster/support/program.ts";
import { EtcdCluster } from "../../support/etcd-cluster.ts";
import type { LabHost, LabNetwork } from "./lab-network.ts";

/** `etcd1` and `etcd3` are etcd with one and three members. */
export type CoordinatorKind = "embedded" | "etcd1" | "etcd3";

/** The coordinator of a lab: one process or three, each on a host of its own, which may be killed, stopped, wiped and started again. */
export interface LabCoordinator {
  readonly hosts: readonly LabHost[];
  /** As `[coordinator]` of the configuration file names them. */
  readonly endpoints: readonly string[];
  readonly output: string;
  /** Which process decides at present. */
  findLeader(): Promise<number>;
  dataDirectory(index: number): string;
  isRunning(index: number): boolean;
  kill(index: number): Promise<void>;
  signal(index: number, signal: NodeJS.Signals): void;
  /** Starts a process that was killed. */
  start(index: number): Promise<void>;
  /** Starts all that do not run; resolves when they serve. */
  startAll(): Promise<void>;
  killAll(): Promise<void>;
  /** All data gone; nothing may run. */
  wipe(): void;
  dispose(): Promise<void>;
}

const ETCD_PORT = 2379;
const EMBEDDED_PORT = 7100;

/** Starts a coordinator of that kind on hosts of its own. */
export async function startCoordinator(
  kind: CoordinatorKind,
  network: LabNetwork,
  directory: string,
): Promise<LabCoordinator> {
  if (kind === "embedded") {
    const embedded = new EmbeddedLabCoordinator(await network.addHost("coordinator"), directory);
    await embedded.startAll();
    return embedded;
  }
  const hosts: LabHost[] = [];
  for (let index = 0; index < (kind === "etcd1" ? 1 : 3); index++) hosts.push(await network.addHost(`etcd${index}`));
  const places = hosts.map(({ address, wrapper }) => ({
    host: address,
    port: ETCD_PORT,
    peerPort: ETCD_PORT + 1,
    wrapper,
  }));
  return new EtcdLabCoordinator(hosts, await EtcdCluster.startAt(places));
}

class EtcdLabCoordinator implements LabCoordinator {
  readonly hosts: readonly LabHost[];
  readonly #etcd: EtcdCluster;

  constructor(hosts: readonly LabHost[], etcd: EtcdCluster) {
    this.hosts = hosts;
    this.#etcd = etcd;
  }

  get endpoints(): readonly string[] {
    return this.hosts.map(({ address }) => `http://${address}:${ETCD_PORT}`);
  }

  get output(): string {
    return this.#etcd.output;
  }

  findLeader(): Promise<number> {
    return this.#etcd.findLeader();
  }

  dataDirectory(index: number): string {
    return this.#etcd.dataDirectory(index);
  }

  isRunning(index: number): boolean {
    return this.#etcd.isRunning(index);
  }

  kill(index: number): Promise<void> {
    return this.#etcd.kill(index);
  }

  signal(index: number, signal: NodeJS.Signals): void {
    this.#etcd.signal(index, signal);
  }

  start(index: number): Promise<void> {
    return this.#etcd.startMember(index);
  }

  startAll(): Promise<void> {
    return this.#etcd.startAll();
  }

  killAll(): Promise<void> {
    return this.#etcd.killAll();
  }

  wipe(): void {
    this.#etcd.wipe();
  }

  dispose(): Promise<void> {
    return this.#etcd.dispose();
  }
}

/** `kv coordinator`. */
class EmbeddedLabCoordinator implements LabCoordinator {
  readonly hosts: readonly LabHost[];
  readonly #host: LabHost;
  readonly #directory: string;
  #program: RunningProgram | null = null;
  #earlierOutput = "";

  constructor(host: LabHost, directory: string) {
    this.hosts = [host];
    this.#host = host;
    this.#directory = directory;
    mkdirSync(directory, { recursive: true });
  }

  get endpoints(): readonly string[] {
    return [`http://${this.#address}`];
  }

  get output(): string {
    return this.#earlierOutput + (this.#program?.output ?? "");
  }

  async findLeader(): Promise<number> {
    return 0;
  }

  dataDirectory(): string {
    return this.#directory;
  }

  isRunning(): boolean {
    return this.#program !== null && !this.#program.hasExited;
  }

  async kill(): Promise<void> {
    this.#program?.signal("SIGKILL");
    await this.#program?.exited;
  }

  signal(_index: number, signal: NodeJS.Signals): void {
    this.#program?.signal(signal);
  }

  start(): Promise<void> {
    return this.startAll();
  }

  async startAll(): Promise<void> {
    if (this.isRunning()) return;
    this.#earlierOutput = this.output;
    const words = ["coordinator", "--listen", this.#address, "--data", this.#directory, "--insecure"];
    const command = [...this.#host.wrapper, ...programCommand("src/cli/kv.ts", words)];
    this.#program = new RunningProgram(command, { withChannel: true, ownGroup: true });
    await this.#program.waitFor("The coordinator is listening");
  }

  killAll(): Promise<void> {
    return this.kill();
  }

  wipe(): void {
    rmSync(this.#directory, { recursive: true, force: true });
    mkdirSync(this.#directory, { recursive: true });
  }

  async dispose(): Promise<void> {
    await this.kill();
    rmSync(this.#directory, { recursive: true, force: true });
  }

  get #address(): string {
    return `${this.#host.address}:${EMBEDDED_PORT}`;
  }
}
