import { SystemRandom } from "../../../src/base/random.ts";
import { SystemClock } from "../../../src/base/system-clock.ts";
import type { EndpointAddress, TlsCredentials } from "../../../src/coordinator/checked-agent.ts";
import type { Coordinator } from "../../../src/coordinator/coordinator.ts";
import { EtcdCoordinator } from "../../../src/coordinator/etcd-coordinator.ts";
import type { EtcdUser } from "../../../src/coordinator/etcd-login.ts";
import { EtcdCluster } from "../../support/etcd-cluster.ts";
import type { RealKind } from "./real-system.ts";

/** Opens a client of etcd on loopback ports. */
export function openEtcd(
  ports: readonly number[],
  options: { readonly tls?: TlsCredentials; readonly user?: EtcdUser; readonly deadlineMs?: number } = {},
): Coordinator {
  const { tls = null, user = null, deadlineMs } = options;
  const endpoints = ports.map((port) => ({ host: "127.0.0.1", port, tls }));
  const parts = { endpoints, user, clock: new SystemClock(), random: new SystemRandom() };
  return new EtcdCoordinator(deadlineMs === undefined ? parts : { ...parts, deadlineMs });
}

/** A real etcd. */
export class EtcdKind implements RealKind {
  readonly cluster: EtcdCluster;
  readonly endpoints: readonly EndpointAddress[];

  private constructor(cluster: EtcdCluster) {
    this.cluster = cluster;
    this.endpoints = cluster.ports.map((port) => ({ host: "127.0.0.1", port, tls: null }));
  }

  static async start(memberCount: 1 | 3): Promise<EtcdKind> {
    return new EtcdKind(await EtcdCluster.start(memberCount));
  }

  open(endpoints: readonly EndpointAddress[], deadlineMs: number | undefined): Coordinator {
    return openEtcd(
      endpoints.map(({ port }) => port),
      deadlineMs === undefined ? {} : { deadlineMs },
    );
  }

  async kill(): Promise<void> {
    await this.cluster.killAll();
  }

  async restart(): Promise<void> {
    await this.cluster.startAll();
  }

  async dispose(): Promise<void> {
    await this.cluster.dispose();
  }
}
