import type { Answerer, Position, Reply, Result } from "../model/operation.ts";
import type { Sequence, Version } from "../model/position.ts";
import type { Answer } from "./answer.ts";
import { headStart, lengthLine } from "./answer-writer.ts";

/** Stands for every version while a template is made: digits that occur in nothing else, which is checked. */
const STAND_IN: Version = 9_007_199_254_740_881;
const STAND_IN_TEXT = String(STAND_IN);
/** The same for the sequence that a session token ends with, the last of what an answer holds. */
const SEQUENCE_STAND_IN: Sequence = 9_007_199_254_740_847;
const SEQUENCE_STAND_IN_TEXT = String(SEQUENCE_STAND_IN);
/** Nodes that answer are those of the cluster; a bound all the same. */
const SHARDS_MAX = 1024;

/** Replies that are answered alike but for their version and their value. */
type Kind = "value" | "created" | "replaced" | "deleted" | "absent";

interface Template {
  readonly answerer: Answerer;
  readonly position: Position;
  readonly contentType: string;
  readonly status: number;
  readonly headPieces: readonly string[];
  /** Behind the session token's sequence, which ends the last of `headPieces`. */
  readonly headEnd: string;
  readonly bodyPieces: readonly string[];
}

/** An answer as text, up to what depends on the connection (which goes between `head` and `body`): binary strings. */
export interface AnswerText {
  readonly status: number;
  readonly head: string;
  readonly body: string;
  /** Instead of `body`, when it is a stored value. */
  readonly value: Buffer | null;
}

/**
 * Writes the usual answers as text without building them header by header.
 *
 * Owns a template for each kind of reply and each shard, made from the very answer that the ordinary path gives, cut where
 * version and sequence stand: so there is one place that decides what an answer holds. Replies that are not usual have none.
 */
export class AnswerTemplates {
  readonly #templates: Record<Kind, Map<string, Template>> = {
    value: new Map(),
    created: new Map(),
    replaced: new Map(),
    deleted: new Map(),
    absent: new Map(),
  };

  /** `answerOf`: the ordinary answer to a reply. Null when the reply is to be answered with that. */
  text(reply: Reply, answerOf: (reply: Reply) => Answer): AnswerText | null {
    if (!reply.ok) return null;
    const { result, answerer, position } = reply;
    const kind = kindOf(result);
    if (kind === null) return null;
    const record = result.kind === "value" ? result.record : null;
    const contentType = record?.contentType ?? "";
    const kept = this.#templates[kind].get(answerer.shard);
    const template =
      kept !== undefined &&
      kept.contentType === contentType &&
      isSame(kept.answerer, answerer) &&
      isSameHistory(kept.position, position)
        ? kept
        : this.#make(kind, reply, answerOf);
    if (template === null) return null;
    const version = String(versionOf(result));
    const { status } = template;
    const body = record === null ? fill(template.bodyPieces, version) : "";
    const byteCount = record === null ? body.length : record.value.length;
    const head =
      fill(template.headPieces, version) + position.sequence + template.headEnd + lengthLine(status, byteCount);
    return { status, head, body, value: record?.value ?? null };
  }

  #make(kind: Kind, reply: Extract<Reply, { ok: true }>, answerOf: (reply: Reply) => Answer): Template | null {
    const { answerer, result, position } = reply;
    const contentType = result.kind === "value" ? result.record.contentType : "";
    const given = `${answerer.shard} ${answerer.node} ${contentType}`;
    if (given.includes(STAND_IN_TEXT) || given.includes(SEQUENCE_STAND_IN_TEXT)) return null;
    const answer = answerOf({
      ...reply,
      result: withStandIn(result),
      position: { ...position, sequence: SEQUENCE_STAND_IN },
    });
    const [start = "", headEnd, ...others] = headStart(answer).split(SEQUENCE_STAND_IN_TEXT);
    if (headEnd === undefined || others.length > 0) return null;
    const template = {
      answerer,
      position,
      contentType,
      status: answer.status,
      headPieces: start.split(STAND_IN_TEXT),
      headEnd,
      bodyPieces: (answer.body?.toString("latin1") ?? "").split(STAND_IN_TEXT),
    };
    const byShard = this.#templates[kind];
    if (byShard.size >= SHARDS_MAX) byShard.clear();
    byShard.set(answerer.shard, template);
    return template;
  }
}

function kindOf(result: Result): Kind | null {
  switch (result.kind) {
    case "value":
    case "deleted":
    case "absent":
      return result.kind;
    case "written":
      return result.created ? "created" : "replaced";
    default:
      return null;
  }
}

function versionOf(result: Result): Version {
  if (result.kind === "value") return result.record.version;
  return result.kind === "written" || result.kind === "deleted" ? result.version : 0;
}

function withStandIn(result: Result): Result {
  if (result.kind === "value") return { kind: "value", record: { ...result.record, version: STAND_IN } };
  return result.kind === "written" || result.kind === "deleted" ? { ...result, version: STAND_IN } : result;
}

function isSame(left: Answerer, right: Answerer): boolean {
  return left.node === right.node && left.role === right.role && left.lagMs === right.lagMs;
}

function isSameHistory(left: Position, right: Position): boolean {
  return left.epoch === right.epoch && left.lineage === right.lineage;
}

function fill(pieces: readonly string[], version: string): string {
  let text = pieces[0] ?? "";
  for (let i = 1; i < pieces.length; i++) text += version + (pieces[i] ?? "");
  return text;
}
