import type { EndpointSet } from "./endpoint-set.ts";
import {
  CODE_FAILED_PRECONDITION,
  CODE_INVALID_ARGUMENT,
  CODE_UNAUTHENTICATED,
  codeOf,
  etcdOutcome,
} from "./etcd-errors.ts";
import { ETCD_PATHS } from "./etcd-messages.ts";
import type { CallResult } from "./http-endpoint.ts";

/** As whom to speak to etcd. */
export interface EtcdUser {
  readonly name: string;
  readonly password: string;
}

export type Headers = Readonly<Record<string, string>>;
export type LoginResult =
  | { readonly kind: "headers"; readonly headers: Headers }
  | { readonly kind: "failed"; readonly reason: string };

const NO_HEADERS: Headers = {};
/** As etcd makes them, simple or JWT. It goes into a header. */
const TOKEN = /^[A-Za-z0-9._~+/=-]{1,4096}$/;

/**
 * The token with which a user speaks to etcd.
 *
 * Owns the token; gets one when it is needed, for all who wait at once. A token ends by age, with its member, or when users are
 * changed, and only an answer tells: `note` drops it then, and the next request gets another. The password is sent nowhere but
 * to be exchanged, and stands in no message.
 */
export class EtcdLogin {
  readonly #endpoints: EndpointSet;
  readonly #user: EtcdUser | null;
  #headers: Headers | null;
  #waiting: ((result: LoginResult) => void)[] = [];

  constructor(endpoints: EndpointSet, user: EtcdUser | null) {
    this.#endpoints = endpoints;
    this.#user = user;
    this.#headers = user === null ? NO_HEADERS : null;
  }

  /** Hands over the headers of a request; at once when they are known. */
  withHeaders(deadlineMs: number, use: (result: LoginResult) => void): void {
    if (this.#headers !== null) {
      use({ kind: "headers", headers: this.#headers });
      return;
    }
    this.#waiting.push(use);
    if (this.#waiting.length === 1) this.#authenticate(deadlineMs);
  }

  /** What is known without asking, for streams. */
  get headers(): Headers | null {
    return this.#headers;
  }

  /** Looks at an answer; true when it says that another token is needed, which the next request gets. */
  note(result: CallResult): boolean {
    if (this.#user === null) return false;
    const code = codeOf(result);
    // "The revision of the auth store is old" and "the user's name is empty" have no code of their own.
    const isStale = code === CODE_UNAUTHENTICATED || code === CODE_INVALID_ARGUMENT;
    if (isStale || result.kind === "lost") this.#headers = null;
    return isStale;
  }

  forget(): void {
    if (this.#user !== null) this.#headers = null;
  }

  #authenticate(deadlineMs: number): void {
    const body = JSON.stringify({ name: this.#user?.name ?? "", password: this.#user?.password ?? "" });
    const call = { path: ETCD_PATHS.authenticate, body, headers: NO_HEADERS, deadlineMs, isRepeatable: true };
    this.#endpoints.call(call, (result) => {
      const login = this.#resultOf(result);
      if (login.kind === "headers") this.#headers = login.headers;
      const waiting = this.#waiting;
      this.#waiting = [];
      for (const use of waiting) use(login);
    });
  }

  #resultOf(result: CallResult): LoginResult {
    // Without authentication every user may do everything: etcd's own clients go on, too.
    if (codeOf(result) === CODE_FAILED_PRECONDITION) return { kind: "headers", headers: NO_HEADERS };
    const outcome = etcdOutcome(result, (answer) => answer.text("token") ?? null);
    if (outcome.kind !== "understood") {
      const reason = `etcd did not let the user ${this.#user?.name ?? ""} in: ${outcome.reason}`;
      return { kind: "failed", reason };
    }
    if (!TOKEN.test(outcome.result)) return { kind: "failed", reason: "etcd gave a token that is none" };
    return { kind: "headers", headers: { Authorization: outcome.result } };
  }
}
