import { isNoSpace } from "../base/no-space.ts";
import { KvError } from "../model/errors.ts";

/** What a member says while it cannot write down its state. */
export const NO_ROOM =
  "The disk has no room to write down the node's state (node.json); free space and it goes on by itself";

/** Whether a change of the state file failed because the disk is full: nothing has changed, and it may succeed later. */
export function isNoRoom(error: unknown): boolean {
  return (error instanceof KvError && error.code === "DISK_FULL") || isNoSpace(error);
}

/** Makes a change of the state file; false, with nothing changed, when the disk has no room for it. */
export function hasRoomFor(change: () => void): boolean {
  try {
    change();
    return true;
  } catch (error) {
    if (isNoRoom(error)) return false;
    throw error;
  }
}
