/** A command could not do what it was asked to: exit code 1. The message says why, and needs no advice. */
export class CommandFailure extends Error {
  override readonly name: string = "CommandFailure";
}
