import { isNoSpace } from "../base/no-space.ts";
import { KvError } from "../model/errors.ts";

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
