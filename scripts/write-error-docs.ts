/** Writes docs/errors.md from the error table, so that the two never differ: `node scripts/write-error-docs.ts`. */
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { type ErrorKind, ERRORS } from "../src/model/errors.ts";

export const ERROR_DOCS_PATH: string = join(import.meta.dirname, "..", "docs", "errors.md");

/** Numbers from here on never travel to clients: the node that met them is not serving yet. */
const FIRST_START_WIRE = 80;

const INTRODUCTION = `# Errors

This file is generated from \`src/model/errors.ts\` by \`node scripts/write-error-docs.ts\`; edit the table there.

Every answer is *ok*, *definitely not applied*, or *unknown*. Over HTTP an error is an \`application/problem+json\` body
(RFC 9457) with \`type\`, \`title\`, \`status\`, \`detail\`, \`code\` and \`outcome\`; some carry \`details\`. Over the Redis protocol it
is an error reply that starts with the word given below. Codes are stable; texts are for people and may change.

- **not_applied**: the request changed nothing, and never will. It is safe to send it again.
- **unknown**: the write was handed on and nobody can say whether it took effect. Read the key back before you repeat it.
- **retry**: the same request may succeed a little later without anything else changing; over HTTP \`Retry-After\` says when.
`;

/** The whole text of docs/errors.md. */
export function renderErrorDocs(): string {
  const entries = Object.entries(ERRORS);
  const answered = entries.filter(([, { wire }]) => wire < FIRST_START_WIRE);
  const atStart = entries.filter(([, { wire }]) => wire >= FIRST_START_WIRE);
  return [
    INTRODUCTION,
    "## Answers to clients\n",
    ...table(answered),
    "\n## Reasons why a node does not start\n",
    "Printed as one line; the process ends with exit code 1.\n",
    "| code | number | is the reason when |",
    "|---|---|---|",
    ...atStart.map(([code, { wire, when }]) => `| \`${code}\` | ${wire} | ${when} |`),
    "",
  ].join("\n");
}

function table(entries: ReadonlyArray<readonly [string, ErrorKind]>): string[] {
  return [
    "| code | HTTP | Redis | outcome | retry | number | is returned when |",
    "|---|---|---|---|---|---|---|",
    ...entries.map(([code, { http, resp, outcome, retryable, wire, when }]) => {
      const cells = [`\`${code}\``, http, `-${resp}`, outcome, retryable ? "yes" : "", wire, when];
      return `| ${cells.join(" | ")} |`;
    }),
  ];
}

if (import.meta.main) writeFileSync(ERROR_DOCS_PATH, renderErrorDocs());
