/** A command that cannot be carried out as it stands, worded as Redis words it: `ERR syntax error`. Nothing was changed. */
export class CommandError extends Error {
  override readonly name: string = "CommandError";
}

export function syntaxError(): CommandError {
  return new CommandError("ERR syntax error");
}

export function wrongArity(name: string): CommandError {
  return new CommandError(`ERR wrong number of arguments for '${name}' command`);
}

export function invalidExpiry(name: string): CommandError {
  return new CommandError(`ERR invalid expire time in '${name}' command`);
}
