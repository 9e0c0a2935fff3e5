import { KvError } from "../model/errors.ts";
import type { Key } from "../model/key.ts";
import type { NodeName } from "../model/position.ts";
import type { PromotionReport, PromotionRequest } from "../model/status.ts";
import type { PeerNetwork } from "../wire/peer-network.ts";
import { ProtocolError } from "../wire/protocol-error.ts";
import { copyOfMember } from "./copy-of-member.ts";
import type { LocalMember } from "./local-member.ts";
import {
  decodeAnswer,
  readCopyAnswer,
  readPositionAnswer,
  readPromotionReport,
  readStatusAnswer,
  type CopyAnswer,
  type Fields,
  type StatusAnswer,
} from "./peer-answer.ts";
import { encodeCall, type PeerCall } from "./peer-call.ts";

/** How long a member may take to tell of itself. */
const INQUIRY_MS = 1000;
/** A promotion steps down one member, fetches entries and stores state on all: it takes its time. */
const PROMOTION_MS = 30_000;

/** Asks single nodes, this one included, about themselves. Answers are called exactly once; null means "no answer". */
export class PeerInquiry {
  readonly #node: NodeName;
  readonly #member: LocalMember;
  readonly #network: PeerNetwork;

  constructor(parts: { node: NodeName; member: LocalMember; network: PeerNetwork }) {
    this.#node = parts.node;
    this.#member = parts.member;
    this.#network = parts.network;
  }

  statusOf(node: NodeName, done: (answer: StatusAnswer | null) => void): void {
    if (node === this.#node) {
      done({ status: this.#member.status(), known: this.#member.knownLeader() });
      return;
    }
    this.#ask(node, { kind: "status" }, readStatusAnswer, (answer) => done(answer instanceof KvError ? null : answer));
  }

  copyOf(node: NodeName, key: Key, done: (answer: CopyAnswer | null) => void): void {
    if (node === this.#node) {
      done(copyOfMember(this.#member, key));
      return;
    }
    this.#ask(node, { kind: "copy", key }, readCopyAnswer, (answer) => done(answer instanceof KvError ? null : answer));
  }

  /** Where the SCAN cursor `number` of another node goes on. */
  positionOf(node: NodeName, number: number, done: (position: string | null | KvError) => void): void {
    this.#ask(node, { kind: "position", number }, readPositionAnswer, (answer) => {
      if (answer instanceof KvError) {
        done(new KvError("UNREACHABLE", `Node ${node}, which keeps the cursor, did not answer`, { cause: answer }));
      } else done(answer.position === null ? null : Buffer.from(answer.position, "hex").toString("latin1"));
    });
  }

  /** A dry run that gets no answer changed nothing; a promotion that gets none may yet happen. */
  promote(request: PromotionRequest, done: (report: PromotionReport | KvError) => void): void {
    if (request.node === this.#node) {
      this.#member.promote(request, done);
      return;
    }
    this.#ask(request.node, { kind: "promote", request }, readPromotionReport, (answer) => {
      if (!(answer instanceof KvError) || answer.code !== "UNKNOWN_OUTCOME" || !request.dryRun) {
        done(answer);
        return;
      }
      done(new KvError("UNREACHABLE", `Node ${request.node} did not answer`, { cause: answer }));
    });
  }

  #ask<Answer>(
    node: NodeName,
    call: PeerCall,
    read: (value: Fields) => Answer,
    done: (answer: Answer | KvError) => void,
  ): void {
    this.#network.request(node, {
      body: encodeCall(call),
      timeoutMs: call.kind === "promote" ? PROMOTION_MS : INQUIRY_MS,
      done: (outcome) => done("body" in outcome ? decoded(outcome.body, read) : outcome.error),
    });
  }
}

function decoded<Answer>(body: Buffer, read: (value: Fields) => Answer): Answer | KvError {
  try {
    return decodeAnswer(body, read);
  } catch (error) {
    if (!(error instanceof ProtocolError)) throw error;
    return new KvError("UNKNOWN_OUTCOME", `An answer makes no sense: ${error.message}`, { cause: error });
  }
}
