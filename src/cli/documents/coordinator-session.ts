import { setTimeout as sleep } from "node:timers/promises";
import { SystemRandom } from "../../base/random.ts";
import { SystemClock } from "../../base/system-clock.ts";
import type { Coordinator, ListResult, StoredDocument, SwapResult } from "../../coordinator/coordinator.ts";
import { KvError } from "../../model/errors.ts";
import type { ClusterConfig } from "../../server/config.ts";
import { openCoordinator } from "../../server/open-coordinator.ts";

const GIVE_UP_MS = 10_000;
const PAUSE_MS = 200;

/**
 * The coordinator as a command uses it: asks again while it does not answer, and gives up after ten seconds.
 *
 * Owns the client. A change whose outcome is not known is repeated until it is (rule C3); when even that takes too long, the error
 * says so.
 */
export class CoordinatorSession {
  readonly #coordinator: Coordinator;

  /** Throws CONFIG_INVALID when the file's coordinator is static, or a file that it needs is bad. */
  static open({ path, coordinator: kind, coordinatorSettings: settings }: ClusterConfig): CoordinatorSession {
    if (kind === "static" || settings === null) {
      throw new KvError(
        "CONFIG_INVALID",
        `${path}: cluster.coordinator is "static": this file alone says who is who, and there are no documents to make`,
      );
    }
    return new CoordinatorSession(
      openCoordinator(kind, settings, { clock: new SystemClock(), random: new SystemRandom() }),
    );
  }

  constructor(coordinator: Coordinator) {
    this.#coordinator = coordinator;
  }

  /** All documents whose keys start with `prefix`, by key. Throws UNREACHABLE. */
  async list(prefix: string): Promise<ReadonlyMap<string, StoredDocument>> {
    const endMs = performance.now() + GIVE_UP_MS;
    for (;;) {
      const { promise, resolve } = Promise.withResolvers<ListResult>();
      this.#coordinator.list(prefix, resolve);
      const result = await promise;
      if (result.kind === "documents") return new Map(result.documents.map((one) => [one.key, one]));
      if (performance.now() > endMs) {
        throw new KvError("UNREACHABLE", `The coordinator does not answer: ${result.reason}`);
      }
      await sleep(PAUSE_MS);
    }
  }

  /**
   * Replaces the document under `key` if it has `expectedRevision`; false when somebody else was first. `value` must differ from
   * whatever anybody else may write. Throws UNREACHABLE when it was definitely not written, UNKNOWN_OUTCOME otherwise.
   */
  async swap(key: string, expectedRevision: string, value: string): Promise<boolean> {
    const endMs = performance.now() + GIVE_UP_MS;
    let isUnknown = false;
    for (;;) {
      const { promise, resolve } = Promise.withResolvers<SwapResult>();
      this.#coordinator.compareAndSwap(key, { expectedRevision, value }, resolve);
      const result = await promise;
      if (result.kind === "accepted") return true;
      // An earlier attempt may have been the one that was first.
      if (result.kind === "refused") return isUnknown && (await this.#holds(key, value));
      isUnknown ||= result.kind === "unknown";
      if (performance.now() > endMs) {
        const code = isUnknown ? "UNKNOWN_OUTCOME" : "UNREACHABLE";
        const what = isUnknown ? "it is not known whether it did" : "it did definitely not";
        throw new KvError(code, `The coordinator does not say that it took ${key}, ${what}: ${result.reason}`);
      }
      await sleep(PAUSE_MS);
    }
  }

  close(): void {
    this.#coordinator.close();
  }

  async #holds(key: string, value: string): Promise<boolean> {
    const prefix = key.slice(0, key.lastIndexOf("/") + 1);
    return (await this.list(prefix)).get(key)?.value === value;
  }
}
