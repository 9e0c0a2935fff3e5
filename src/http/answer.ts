/** One answer, complete. Its length is known before its first byte leaves, so an error never cuts one short. */
export interface Answer {
  readonly status: number;
  /** Names and values in turn, as `ServerResponse.writeHead` takes them; values hold no control characters. */
  readonly headers: readonly string[];
  readonly body: Buffer | null;
}

/** Called exactly once for each request. */
export type Respond = (answer: Answer) => void;

const JSON_HEADERS: readonly string[] = ["Content-Type", "application/json", "Cache-Control", "no-store"];

/** An answer whose body is `value` as JSON. */
export function jsonAnswer(status: number, value: unknown, headers: readonly string[] = []): Answer {
  return jsonTextAnswer(status, JSON.stringify(value), headers);
}

/** The same for JSON that is already text: numbers beyond 2⁵³ cannot go through `JSON.stringify`. */
export function jsonTextAnswer(status: number, json: string, headers: readonly string[] = []): Answer {
  return { status, headers: [...JSON_HEADERS, ...headers], body: Buffer.from(`${json}\n`, "utf8") };
}

/** An answer without a body. */
export function emptyAnswer(status: number, headers: readonly string[] = []): Answer {
  return { status, headers, body: null };
}

/**
 * Text from outside (a shard's name from the configuration file) as a header value: percent-encoded unless it is printable
 * ASCII, so that no text can start a header line of its own.
 */
export function headerValue(text: string): string {
  return /^[\x21-\x7e]*$/.test(text) ? text : encodeURIComponent(text);
}
