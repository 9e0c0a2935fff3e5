import { mutant } from "../base/mutants.ts";
import type { ShardDocument } from "../model/shard-document.ts";
import type { Accounts } from "./accounts.ts";
import type { MemberState, MemberStateFile } from "./member-environment.ts";
import { hasRoomFor } from "./no-room.ts";
import { isWhole } from "./roll-call.ts";

/**
 * Why a member whose newest batch was cut off cannot lead yet, as a sentence for the operator; null when it can.
 *
 * A batch torn by a power cut was never confirmed; one that a failing disk damaged may have been, and looks the same. What was
 * acknowledged stands in the log of every member of the set: one other that is whole says where it ends. Where nobody else is left
 * that could know, there is nothing to wait for.
 */
export function missingWitness(state: MemberState, document: ShardDocument, accounts: Accounts): string | null {
  if (!state.tornEnd || mutant("X12")) return null;
  const others = document.inSync.filter(({ node }) => node !== state.store.node);
  const answered = accounts.answered();
  if (others.some((member) => answered.some((account) => isWhole(account, member)))) return null;
  const silent = accounts.silent().filter((node) => others.some((member) => member.node === node));
  if (silent.length === 0) return null;
  const names = silent.join(" or ");
  return (
    `The end of this log was torn, or damaged, and was cut off when the node started: ${names} has to say whether ` +
    "anything acknowledged is missing, and does not answer; start it, or go on without what it alone may have " +
    "(kv promote --accept-data-loss)"
  );
}

/** Whatever a log lacked it has: all that is committed. A copy under way still mends its rows. */
export function forgetImpairment(file: MemberStateFile): void {
  const { state } = file;
  if ((state.damage === null && !state.tornEnd) || state.bootstrap !== null) return;
  hasRoomFor(() => file.replace({ ...state, damage: null, tornEnd: false }));
}
