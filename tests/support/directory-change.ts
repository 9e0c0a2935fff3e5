import type { SimInode } from "./sim-inode.ts";

/** What happened to the names of one directory. */
export type DirectoryChange =
  | { readonly kind: "link"; readonly path: string; readonly inode: SimInode }
  | { readonly kind: "unlink"; readonly path: string }
  | { readonly kind: "rename"; readonly path: string; readonly from: string };

/** Makes a change, to what is visible or to what is flushed. */
export function apply(change: DirectoryChange, entries: Map<string, SimInode>): void {
  const { kind, path } = change;
  if (kind === "link") entries.set(path, change.inode);
  else if (kind === "unlink") entries.delete(path);
  else {
    const inode = entries.get(change.from);
    if (inode === undefined) return;
    entries.delete(change.from);
    entries.set(path, inode);
  }
}
