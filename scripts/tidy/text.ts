import type { Fault, TextFile } from "./source-file.ts";

/** What no tracked text may hold. The expressions are written so that they do not match themselves. */
const UNWANTED: readonly { readonly pattern: RegExp; readonly message: string }[] = [
  { pattern: /\b(?:TO[D]O|FI[X]ME|X[X]X)\b/, message: "finish it or say why it is as it is; no notes to self" },
  {
    pattern: /(?<![\w.$}-])\/(?:wor[k]|tm[p]|hom[e]|User[s]|roo[t])\/[\w.-]+/,
    message: "a path of one machine: use os.tmpdir(), a relative path or a placeholder",
  },
  { pattern: /https?:\/\/[\w.-]*registr[y][\w.-]*/, message: "no package registry's address belongs in the tree" },
];

/** Reports notes to self, paths of the author's machine and registry addresses, in any text file. */
export function checkText(file: TextFile): Fault[] {
  return file.text.split("\n").flatMap((line, index) =>
    UNWANTED.filter(({ pattern }) => pattern.test(line)).map(({ message }) => ({
      path: file.path,
      line: index + 1,
      message,
    })),
  );
}
