import { ERRORS, type ErrorCode, KvError } from "../model/errors.ts";
import { JsonMembers } from "./json-members.ts";
import { type NodeAnswer, NodeHttp, type NodeRequest } from "./node-http.ts";

/** A node that hangs must not keep anybody from asking the next one. */
const PASS_OVER_MS = 4000;

/** Which nodes a client may talk to. */
export interface ClusterAccess {
  /** `host:port`, the one to ask first in front. */
  readonly nodes: readonly string[];
  /** Where the nodes come from, for messages: "sharding.toml" or "--node". */
  readonly source: string;
}

/** A request, and whether asking twice does no harm. */
export interface ClusterRequest extends NodeRequest {
  readonly isRepeatable: boolean;
}

/**
 * Asks a cluster through any of its nodes: every node answers every key.
 *
 * Owns the list of nodes, the one that answered last in front. A node that cannot be reached is passed over for the next; a
 * request that was sent and not answered is sent to another node only when it is repeatable. When nobody answers, the error
 * names whom it asked and what to do.
 */
export class ClusterClient {
  readonly #http = new NodeHttp();
  readonly #access: ClusterAccess;
  #nodes: readonly string[];

  constructor(access: ClusterAccess) {
    this.#access = access;
    this.#nodes = access.nodes;
  }

  get nodes(): readonly string[] {
    return this.#access.nodes;
  }

  /** The whole answer of the first node that gives one, whatever its status. Throws UNREACHABLE or UNKNOWN_OUTCOME. */
  async ask(request: ClusterRequest): Promise<NodeAnswer> {
    const reasons: string[] = [];
    const isPassedOver = request.isRepeatable && request.timeoutMs === undefined;
    for (const node of this.#nodes) {
      try {
        const isLast = node === this.#nodes.at(-1);
        const answer = await this.#http.ask(
          node,
          isPassedOver && !isLast ? { ...request, timeoutMs: PASS_OVER_MS } : request,
        );
        if (node !== this.#nodes[0]) this.#nodes = [node, ...this.#nodes.filter((other) => other !== node)];
        return answer;
      } catch (error) {
        if (!(error instanceof KvError)) throw error;
        if (error.code !== "UNREACHABLE" && !request.isRepeatable) throw error;
        reasons.push(error.message);
      }
    }
    throw new KvError("UNREACHABLE", this.#nobodyAnswers(reasons));
  }

  /** Asks one node and nobody else. */
  async askNode(node: string, request: NodeRequest): Promise<NodeAnswer> {
    return this.#http.ask(node, request);
  }

  /** As `ask`, for requests whose only good answer is JSON with a 2xx status. Throws what the answer says otherwise. */
  async askJson(request: ClusterRequest): Promise<JsonMembers> {
    return jsonOf(await this.ask(request));
  }

  close(): void {
    this.#http.close();
  }

  #nobodyAnswers(reasons: readonly string[]): string {
    const { nodes, source } = this.#access;
    const start = "start the cluster with ./launch.sh (or: kv up)";
    if (nodes.length === 1) return `${reasons.join("")}; is it running? ${start}, or name another node with --node`;
    return (
      `none of the ${nodes.length} nodes of ${source} answers (${reasons[0] ?? ""}; the others likewise): ` +
      `${start}, or name a running node with --node HOST:PORT`
    );
  }
}

/** The JSON object of a good answer. Throws the error that the answer is, or PROTOCOL. */
export function jsonOf(answer: NodeAnswer): JsonMembers {
  if (answer.status < 200 || answer.status > 299) throw errorOf(answer);
  return new JsonMembers("answer", parseJson(answer));
}

/** The error that an answer with a status from 400 on stands for. */
export function errorOf(answer: NodeAnswer): KvError {
  const problem = readProblem(answer);
  if (problem !== null) return problem;
  const start = answer.body.subarray(0, 80).toString("utf8").replaceAll(/\s+/g, " ");
  return new KvError(
    "PROTOCOL",
    `${answer.node} answered ${answer.status} "${start}": that is not a node of this database`,
  );
}

function readProblem(answer: NodeAnswer): KvError | null {
  if (answer.headers["content-type"]?.startsWith("application/problem+json") !== true) return null;
  const members = new JsonMembers("problem", parseJson(answer));
  const { code, detail } = { code: members.text("code"), detail: members.text("detail") };
  const details = members.has("details") ? { details: members.object("details").toObject() } : {};
  if (isErrorCode(code)) return new KvError(code, detail, details);
  const known = members.textOrNull("outcome") === "not_applied" ? "BAD_REQUEST" : "UNKNOWN_OUTCOME";
  return new KvError(known, `${code}: ${detail}`);
}

function isErrorCode(text: string): text is ErrorCode {
  return Object.hasOwn(ERRORS, text);
}

function parseJson(answer: NodeAnswer): unknown {
  try {
    const value: unknown = JSON.parse(answer.body.toString("utf8"));
    return value;
  } catch (error) {
    throw new KvError("PROTOCOL", `${answer.node} did not answer with JSON: is it a node of this database?`, {
      cause: error,
    });
  }
}
