import { hasProgram } from "../support/redis-process.ts";
import { EmbeddedKind } from "./coordinator-kinds/embedded-kind.ts";
import { EtcdKind } from "./coordinator-kinds/etcd-kind.ts";
import { RealSystem } from "./coordinator-kinds/real-system.ts";
import { SimSystem } from "./coordinator-kinds/sim-system.ts";
import { describeCoordinator } from "./coordinator-suite.ts";

const skip = hasProgram("etcd") ? false : "etcd (etcd-server) is not installed";

describeCoordinator("of the simulation", async () => new SimSystem(7));
describeCoordinator("that is embedded", async () => new RealSystem(await EmbeddedKind.start()));
describeCoordinator("etcd with one member", async () => new RealSystem(await EtcdKind.start(1)), skip);
describeCoordinator("etcd with three members", async () => new RealSystem(await EtcdKind.start(3)), skip);
