import { KvError } from "../model/errors.ts";
import type { Key } from "../model/key.ts";
import type { LocalMember } from "./local-member.ts";
import type { CopyAnswer } from "./peer-answer.ts";

/** What `member` holds of `key`. A record that fails its checksum is never served, not even its version (rule S5). */
export function copyOfMember(member: LocalMember, key: Key): CopyAnswer {
  const { role, lagEntries, lagMs } = member.status();
  try {
    return { role, version: member.versionOf(key), lagEntries, lagMs };
  } catch (error) {
    if (error instanceof KvError) return { role, version: null, lagEntries, lagMs };
    throw error;
  }
}
