import { type ChildProcess, execFileSync, spawn } from "node:child_process";
import { readlinkSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";
import { BlackholeRoutes, canUseNft, type LinkCuts, NftRules } from "./link-cuts.ts";

/** A machine of the lab: a network namespace of its own, linked to the others by a bridge. */
export interface LabHost {
  readonly name: string;
  readonly address: string;
  /** Words that run the rest of a command line there; the process ends with the lab, however that ends. */
  readonly wrapper: readonly string[];
}

/** One direction of a link. */
export interface Direction {
  readonly from: LabHost;
  readonly to: LabHost;
  /** How many of a hundred packets are lost when it is cut; default all. */
  readonly lossPercent?: number;
}

const SUBNET = "10.77.0";
const PREFIX_LENGTH = 24;
const BRIDGE = "bridge";
const NAMESPACE_WAIT_MS = 5000;
const WITH_LAB = ["setpriv", "--pdeathsig", "KILL"];

/**
 * The network of one lab, within the namespace that `enterLab` made: a bridge, and a namespace for each host, held open by a process
 * that sleeps there. Nothing has a name outside: all of it is gone when the lab's processes are, also after `kill -9`.
 *
 * Owns which directions of which links are cut.
 */
export class LabNetwork {
  /** The lab itself, where the clients are. */
  readonly clients: LabHost = { name: "clients", address: `${SUBNET}.1`, wrapper: WITH_LAB };
  readonly #hosts: LabHost[] = [this.clients];
  readonly #holders: ChildProcess[] = [];
  readonly #cuts: LinkCuts = canUseNft() ? new NftRules() : new BlackholeRoutes();
  #cut: Direction[] = [];

  constructor() {
    ip("link", "set", "lo", "up");
    ip("link", "add", BRIDGE, "type", "bridge");
    ip("addr", "add", `${this.clients.address}/${PREFIX_LENGTH}`, "dev", BRIDGE);
    ip("link", "set", BRIDGE, "up");
  }

  async addHost(name: string): Promise<LabHost> {
    const number = 10 + this.#hosts.length;
    const address = `${SUBNET}.${number}`;
    const holder = spawn("unshare", ["--net", ...WITH_LAB, "cat"], { stdio: ["pipe", "ignore", "inherit"] });
    this.#holders.push(holder);
    const namespace = `/proc/${await ownNamespace(holder)}/ns/net`;
    const host = { name, address, wrapper: ["nsenter", `--net=${namespace}`, ...WITH_LAB] };
    ip("link", "add", `veth${number}`, "type", "veth", "peer", "name", "eth0", "netns", String(holder.pid));
    ip("link", "set", `veth${number}`, "master", BRIDGE, "up");
    for (const words of [
      ["addr", "add", `${address}/${PREFIX_LENGTH}`, "dev", "eth0"],
      ["link", "set", "eth0", "up"],
      ["link", "set", "lo", "up"],
    ]) {
      execFileSync("nsenter", [`--net=${namespace}`, "ip", ...words]);
    }
    this.#hosts.push(host);
    return host;
  }

  /** From now on nothing arrives over these directions; open connections hang. Others stay as they are. */
  cut(directions: readonly Direction[]): void {
    this.#cut = [...this.#cut, ...directions];
    this.#apply();
  }

  healAll(): void {
    this.#cut = [];
    this.#apply();
  }

  /** Packets that did not arrive because of a cut, in all. */
  get droppedCount(): number {
    return this.#cuts.droppedCount(this.#hosts);
  }

  close(): void {
    for (const holder of this.#holders) holder.kill("SIGKILL");
  }

  #apply(): void {
    for (const host of this.#hosts) this.#cuts.apply(host, this.#cut);
  }
}

function ip(...words: string[]): void {
  execFileSync("ip", words);
}

/** The holder's process, once it is in its own namespace. */
async function ownNamespace(holder: ChildProcess): Promise<number> {
  const { pid } = holder;
  if (pid === undefined) throw new Error("unshare could not be started");
  const outside = readlinkSync("/proc/self/ns/net");
  for (const endMs = performance.now() + NAMESPACE_WAIT_MS; performance.now() < endMs;) {
    if (readlinkSync(`/proc/${pid}/ns/net`) !== outside) return pid;
    await sleep(2);
  }
  throw new Error("a network namespace was not made in time");
}
