import { type Argument, textOf } from "./argument.ts";
import { CommandError } from "./command-error.ts";

/** A connection's name appears in lists with one line a connection and spaces between fields. Throws CommandError. */
export function checkClientName(argument: Argument | undefined): string {
  const name = textOf(argument);
  if (/^[!-~]*$/.test(name)) return name;
  throw new CommandError("ERR Client names cannot contain spaces, newlines or special characters.");
}
