import { documentDifferences } from "../model/document-differences.ts";
import type { ShardDocument } from "../model/shard-document.ts";
import type { MemberConfig, MemberEnvironment } from "./member-environment.ts";

/** Warns of differences between the shard's document and the configuration file: once, and again when they change (rule C5). */
export class DifferenceLog {
  readonly #env: MemberEnvironment;
  readonly #config: MemberConfig;
  #seen: ShardDocument | null = null;
  #said = "";

  constructor(env: MemberEnvironment, config: MemberConfig) {
    this.#env = env;
    this.#config = config;
  }

  /** `document` as it was last read; null without a coordinator. */
  look(document: ShardDocument | null): void {
    if (document === null || document === this.#seen) return;
    this.#seen = document;
    const { shard, minInSync } = this.#config;
    const text = documentDifferences(shard, minInSync, document).join("; ");
    if (text !== this.#said && text !== "") this.#env.logger.warn(`Shard ${shard.name}: ${text}`);
    this.#said = text;
  }
}
