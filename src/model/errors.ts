/** What an answer says about the effect of a request (replication.md §2.15). */
export type Outcome = "not_applied" | "unknown";

export type ErrorCode =
  | "INVALID_ARGUMENT"
  | "KEY_EMPTY"
  | "KEY_TOO_LONG"
  | "VALUE_TOO_LARGE"
  | "URL_TOO_LONG"
  | "HEADERS_TOO_LARGE"
  | "UNSUPPORTED_MEDIA_TYPE"
  | "INVALID_CURSOR"
  | "UNKNOWN_PARAMETER"
  | "NOT_FOUND"
  | "NO_SUCH_PATH"
  | "METHOD_NOT_ALLOWED"
  | "PRECONDITION_FAILED"
  | "NOT_AN_INTEGER"
  | "INTEGER_OVERFLOW"
  | "NOT_A_FLOAT"
  | "FLOAT_OVERFLOW"
  | "FORBIDDEN_ORIGIN"
  | "NOT_SUPPORTED"
  | "LENGTH_REQUIRED"
  | "REQUEST_TIMEOUT"
  | "BAD_REQUEST"
  | "NOT_LEADER"
  | "NO_LEADER"
  | "NOT_READY"
  | "BUSY"
  | "OVERLOADED"
  | "DISK_FULL"
  | "NOT_ENOUGH_REPLICAS"
  | "UNREACHABLE"
  | "TOO_MANY_HOPS"
  | "DEADLINE_EXCEEDED"
  | "STOPPING"
  | "TOO_MANY_CONNECTIONS"
  | "CORRUPT"
  | "PROMOTION_REFUSED"
  | "WRONG_CLUSTER"
  | "PROTOCOL"
  | "UNAUTHORIZED"
  | "UNKNOWN_OUTCOME"
  | "INTERNAL"
  | "CONFIG_INVALID"
  | "DIRECTORY_IN_USE"
  | "WRONG_DIRECTORY"
  | "UNKNOWN_FORMAT"
  | "DATA_CORRUPT"
  | "ADDRESS_IN_USE"
  | "DOCUMENT_INVALID"
  | "REQUEST_ID_REUSED"
  | "INVALID_TOKEN"
  | "POSITION_NOT_HELD"
  | "TOO_MANY_REQUEST_IDS";

/** What is known of an error besides its sentence. */
export interface ErrorKind {
  /** The number on the wire between nodes; never reused. */
  readonly wire: number;
  readonly http: number;
  /** The first word of the answer on the Redis protocol. */
  readonly resp: string;
  readonly outcome: Outcome;
  /** Whether the same request may succeed later without anything else changing. */
  readonly retryable: boolean;
  /** Completes "is returned when …". */
  readonly when: string;
}

const notApplied = (wire: number, http: number, resp: string, when: string): ErrorKind => {
  return { wire, http, resp, outcome: "not_applied", retryable: false, when };
};

const tryAgain = (wire: number, http: number, resp: string, when: string): ErrorKind => {
  return { ...notApplied(wire, http, resp, when), retryable: true };
};

/** Every error a user can meet. docs/errors.md is generated from this table. */
export const ERRORS: Readonly<Record<ErrorCode, ErrorKind>> = {
  INVALID_ARGUMENT: notApplied(1, 400, "ERR", "a parameter, header, body or command is malformed"),
  KEY_EMPTY: notApplied(2, 400, "ERR", "the key is missing or empty"),
  KEY_TOO_LONG: notApplied(3, 400, "ERR", "the key is longer than 1,024 bytes"),
  VALUE_TOO_LARGE: notApplied(4, 413, "ERR", "the value or body is larger than its limit"),
  URL_TOO_LONG: notApplied(5, 414, "ERR", "the request target is longer than 8 KiB"),
  HEADERS_TOO_LARGE: notApplied(6, 431, "ERR", "the header block is over its limit"),
  UNSUPPORTED_MEDIA_TYPE: notApplied(7, 415, "ERR", "the body is of a type that this path does not take"),
  INVALID_CURSOR: notApplied(8, 400, "ERR", "a scan cursor was not made by this cluster, or for another query"),
  UNKNOWN_PARAMETER: notApplied(9, 400, "ERR", "a query parameter or KV- header is not known"),
  NOT_FOUND: notApplied(10, 404, "ERR", "the key does not exist"),
  NO_SUCH_PATH: notApplied(11, 404, "ERR", "the path is not part of the interface"),
  METHOD_NOT_ALLOWED: notApplied(12, 405, "ERR", "the path does not take this method"),
  PRECONDITION_FAILED: notApplied(13, 412, "PRECOND", "the key is not in the state that the request demands"),
  NOT_AN_INTEGER: notApplied(14, 409, "ERR", "the stored value is not a 64-bit integer"),
  INTEGER_OVERFLOW: notApplied(15, 409, "ERR", "the result would not fit into 64 bits"),
  FORBIDDEN_ORIGIN: notApplied(16, 403, "ERR", "the request comes from a web page of another origin"),
  NOT_SUPPORTED: notApplied(17, 501, "ERR", "the option exists but this version does not have it yet"),
  LENGTH_REQUIRED: notApplied(18, 411, "ERR", "the body has no length"),
  REQUEST_TIMEOUT: notApplied(19, 408, "ERR", "the request did not arrive in time"),
  BAD_REQUEST: notApplied(20, 400, "ERR", "the bytes are not valid HTTP"),
  NOT_A_FLOAT: notApplied(21, 409, "ERR", "the stored value, or the increment, is not a floating point number"),
  FLOAT_OVERFLOW: notApplied(22, 409, "ERR", "the result would not be a finite number"),
  REQUEST_ID_REUSED: notApplied(23, 422, "ERR", "another request was made with the same Idempotency-Key"),
  INVALID_TOKEN: notApplied(24, 400, "ERR", "the KV-Token is malformed, or of another cluster"),
  POSITION_NOT_HELD: notApplied(
    25,
    409,
    "ERR",
    "what the KV-Token stands for is not in the shard's history: it was lost in a failover, or is still to come",
  ),

  NOT_LEADER: tryAgain(30, 503, "TRYAGAIN", "the node asked does not lead the shard"),
  NO_LEADER: tryAgain(31, 503, "TRYAGAIN", "no leader of the shard is known"),
  NOT_READY: tryAgain(32, 503, "TRYAGAIN", "the node is starting, copying data, or not able to serve the shard"),
  BUSY: tryAgain(33, 503, "TRYAGAIN", "a read waited too long for what it saw to be committed"),
  OVERLOADED: tryAgain(34, 503, "TRYAGAIN", "a queue is full, or the uncommitted tail is at its limit"),
  DISK_FULL: tryAgain(35, 503, "TRYAGAIN", "the shard's log has no room for the write"),
  NOT_ENOUGH_REPLICAS: tryAgain(36, 503, "TRYAGAIN", "a member of the in-sync set does not answer"),
  UNREACHABLE: tryAgain(37, 503, "TRYAGAIN", "the shard's leader could not be reached, and nothing was sent"),
  TOO_MANY_HOPS: tryAgain(38, 503, "TRYAGAIN", "nodes disagree about who leads the shard"),
  DEADLINE_EXCEEDED: tryAgain(39, 503, "TRYAGAIN", "the time for the request ran out before it was applied"),
  STOPPING: tryAgain(40, 503, "TRYAGAIN", "the node is shutting down"),
  TOO_MANY_CONNECTIONS: tryAgain(41, 503, "ERR", "the node has its maximum of connections"),
  CORRUPT: notApplied(42, 500, "ERR", "a stored record failed its checksum; it is never served"),
  PROMOTION_REFUSED: notApplied(43, 409, "ERR", "a promotion could lose acknowledged writes"),
  WRONG_CLUSTER: notApplied(44, 409, "ERR", "the node belongs to another cluster"),
  PROTOCOL: notApplied(45, 400, "ERR", "the bytes do not follow the protocol between nodes"),
  UNAUTHORIZED: notApplied(46, 401, "NOAUTH", "the shared secret or token is missing or wrong"),

  TOO_MANY_REQUEST_IDS: tryAgain(47, 503, "TRYAGAIN", "the shard remembers as many Idempotency-Keys as it may"),

  UNKNOWN_OUTCOME: {
    wire: 60,
    http: 504,
    resp: "UNKNOWN",
    outcome: "unknown",
    retryable: false,
    when: "the write was appended or sent, and nobody can say whether it took effect",
  },
  INTERNAL: {
    wire: 61,
    http: 500,
    resp: "ERR",
    outcome: "unknown",
    retryable: false,
    when: "the server failed in an unforeseen way",
  },

  CONFIG_INVALID: notApplied(80, 500, "ERR", "the configuration file has a fault"),
  DIRECTORY_IN_USE: notApplied(81, 500, "ERR", "another process owns the data directory"),
  WRONG_DIRECTORY: notApplied(82, 500, "ERR", "the data directory belongs to another shard, node or cluster"),
  UNKNOWN_FORMAT: notApplied(83, 500, "ERR", "the data was written by a version that this one does not understand"),
  DATA_CORRUPT: notApplied(84, 500, "ERR", "files of the data directory are damaged"),
  ADDRESS_IN_USE: notApplied(85, 500, "ERR", "another process listens on the address"),
  DOCUMENT_INVALID: notApplied(86, 500, "ERR", "a document of the coordinator is damaged, or of a newer version"),
};

/** An operating error: something a user can meet and act on. `details` goes out with the answer where it helps. */
export class KvError extends Error {
  override readonly name: string = "KvError";
  readonly code: ErrorCode;
  readonly details: Readonly<Record<string, unknown>>;

  constructor(
    code: ErrorCode,
    message: string,
    options: { details?: Readonly<Record<string, unknown>>; cause?: unknown } = {},
  ) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.code = code;
    this.details = options.details ?? {};
  }

  get kind(): ErrorKind {
    return ERRORS[this.code];
  }

  get outcome(): Outcome {
    return ERRORS[this.code].outcome;
  }
}

const codeByWire = new Map<number, ErrorCode>();
for (const [code, kind] of Object.entries(ERRORS)) codeByWire.set(kind.wire, code as ErrorCode);

/** The code that travels as `wire`; a number of a newer version means `INTERNAL`. */
export function errorCodeOfWire(wire: number): ErrorCode {
  return codeByWire.get(wire) ?? "INTERNAL";
}
