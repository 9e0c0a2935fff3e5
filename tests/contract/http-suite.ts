import { after, before, describe } from "node:test";
import { describeBadBodies } from "./http-suite-bad-bodies.ts";
import { describeBadInput } from "./http-suite-bad-input.ts";
import { describeCollections } from "./http-suite-collections.ts";
import { describeDesync } from "./http-suite-desync.ts";
import { describeKeys } from "./http-suite-keys.ts";
import { describeOptions } from "./http-suite-options.ts";
import { describePlainPaths } from "./http-suite-plain.ts";
import { describeResources } from "./http-suite-resources.ts";
import type { HttpSystem } from "./http-system.ts";

/** The behaviour of the HTTP interface, for every system that offers it. Each test uses keys of its own. */
export function describeHttp(name: string, start: () => Promise<HttpSystem>): void {
  describe(name, () => {
    let system: HttpSystem = { address: "", pid: 0, collect: async () => {}, stop: async () => {} };
    before(async () => {
      system = await start();
    });
    after(() => system.stop());
    const address = (): string => system.address;
    describeResources(
      () => system,
      () => {
        describePlainPaths(address);
        describeKeys(address);
        describeCollections(address);
        describeBadInput(address);
        describeBadBodies(address);
        describeOptions(address);
        describeDesync(address);
      },
    );
  });
}
