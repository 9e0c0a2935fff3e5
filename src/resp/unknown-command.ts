import { type Argument, textOf } from "./argument.ts";
import { CommandError } from "./command-error.ts";

const SHOWN_BYTES_MAX = 128;

/** Names the command and the beginning of its arguments, as Redis does: whole words until 128 bytes are full. */
export function unknownCommand(words: readonly Argument[]): CommandError {
  let shown = "";
  for (let at = 1; at < words.length && shown.length < SHOWN_BYTES_MAX; at++) {
    shown += `'${cText(words[at]).slice(0, SHOWN_BYTES_MAX - shown.length)}' `;
  }
  const name = cText(words[0]).slice(0, SHOWN_BYTES_MAX);
  return new CommandError(`ERR unknown command '${name}', with args beginning with: ${shown}`);
}

export function unknownSubcommand(words: readonly Argument[]): CommandError {
  const name = cText(words[1]).slice(0, SHOWN_BYTES_MAX);
  return new CommandError(`ERR unknown subcommand '${name}'. Try ${cText(words[0]).toUpperCase()} HELP.`);
}

/** Redis prints C strings: nothing stands behind a NUL. */
function cText(argument: Argument | undefined): string {
  return textOf(argument).split("\0", 1)[0] ?? "";
}
