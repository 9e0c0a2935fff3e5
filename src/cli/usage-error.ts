/** The command line, or a file it names, is wrong: exit code 2. The message says how it should be. */
export class UsageError extends Error {
  override readonly name: string = "UsageError";
}
