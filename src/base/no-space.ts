/** Whether a call to the disk failed because the disk is full: it then changed nothing, and may succeed later. */
export function isNoSpace(error: unknown): boolean {
  return error instanceof Error && "code" in error && error.code === "ENOSPC";
}
