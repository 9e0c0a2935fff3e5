import assert from "node:assert/strict";
import { createHmac } from "node:crypto";
import { describe, it } from "node:test";
import fc from "fast-check";
import { fuzzRuns, mutations } from "../../tests/support/byte-mutations.ts";
import { KvError, type ErrorCode } from "../model/errors.ts";
import { encodeFailure } from "./failure-codec.ts";
import { FRAME, type FrameType } from "./frame.ts";
import {
  Handshake,
  HandshakeRefused,
  type HandshakeOptions,
  type HandshakeStep,
  type PeerIdentity,
} from "./handshake.ts";
import type { WireMessage } from "./message-assembler.ts";
import { ProtocolError } from "./protocol-error.ts";

const NONCE_A = "a".repeat(32);
const NONCE_B = "b".repeat(32);

function identity(node: string, changed: Partial<PeerIdentity> = {}): PeerIdentity {
  return { cluster: "india", node, store: `store of ${node}`, boot: `boot of ${node}`, formatVersion: 1, ...changed };
}

function side(node: "a" | "b", changed: Partial<HandshakeOptions> = {}): Handshake {
  return new Handshake({
    own: identity(node),
    secret: Buffer.from("our secret"),
    isKnownNode: (name) => name === "a" || name === "b",
    nonce: node === "a" ? NONCE_A : NONCE_B,
    dialled: node === "a" ? "b" : null,
    ...changed,
  });
}

function message(type: FrameType, payload: Buffer): WireMessage {
  return { type, id: 0, shardBytes: 0, payload };
}

function carry(step: HandshakeStep, to: Handshake): HandshakeStep {
  assert.ok(step.send !== null, "the handshake goes on");
  return to.receive(message(step.send.type, step.send.payload));
}

/** Runs a whole handshake. Gives what each side learned, or throws what the first side that objects throws. */
function shake(dialler: Handshake, acceptor: Handshake): [PeerIdentity | null, PeerIdentity | null] {
  const hello = carry(dialler.start(), acceptor);
  const proof = carry(hello, dialler);
  assert.equal(hello.peer, null);
  assert.equal(proof.peer, null);
  const last = carry(proof, acceptor);
  return [carry(last, dialler).peer, last.peer];
}

function refusal(code: ErrorCode): (error: unknown) => boolean {
  return (error) => error instanceof HandshakeRefused && error.code === code && !error.byPeer;
}

describe("the handshake", () => {
  it("makes both nodes known to each other when they share the secret", () => {
    assert.deepEqual(shake(side("a"), side("b")), [identity("b"), identity("a")]);
  });

  it("works with an empty secret on both sides", () => {
    const secret = Buffer.alloc(0);
    assert.deepEqual(shake(side("a", { secret }), side("b", { secret })), [identity("b"), identity("a")]);
  });

  it("refuses a dialler with another secret, or none, and tells it no proof", () => {
    for (const secret of ["another", "", "our secret "]) {
      assert.throws(() => shake(side("a", { secret: Buffer.from(secret) }), side("b")), refusal("UNAUTHORIZED"));
    }
  });

  it("refuses an acceptor that cannot prove the secret", () => {
    const dialler = side("a");
    const proof = carry(carry(dialler.start(), side("b")), dialler);
    assert.equal(proof.send?.type, FRAME.proof);
    for (const payload of [Buffer.alloc(32), Buffer.alloc(0), Buffer.alloc(33), proof.send.payload]) {
      const again = side("a");
      carry(carry(again.start(), side("b")), again);
      assert.throws(() => again.receive(message(FRAME.proof, payload)), refusal("UNAUTHORIZED"));
    }
  });

  it("does not accept a recorded proof, because the nonces differ", () => {
    const [dialler, acceptor] = [side("a"), side("b")];
    const hello = dialler.start();
    const proof = carry(carry(hello, acceptor), dialler);
    const later = side("b", { nonce: "c".repeat(32) });
    carry(hello, later);
    assert.throws(() => carry(proof, later), refusal("UNAUTHORIZED"));
  });

  it("does not accept a HELLO that was changed on the way", () => {
    const [dialler, acceptor] = [side("a"), side("b")];
    const hello = dialler.start().send?.payload.toString() ?? "";
    const changed = hello.replace("store of a", "store of x");
    assert.notEqual(changed, hello);
    const answer = acceptor.receive(message(FRAME.hello, Buffer.from(changed)));
    const proof = carry(answer, dialler);
    assert.throws(() => carry(proof, acceptor), refusal("UNAUTHORIZED"));
  });

  it("refuses what does not belong together, and says what", () => {
    const b = (own: Partial<PeerIdentity>): Partial<HandshakeOptions> => ({ own: identity("b", own) });
    const a = (own: Partial<PeerIdentity>): Partial<HandshakeOptions> => ({ own: identity("a", own) });
    const cases: [ErrorCode, Partial<HandshakeOptions>, Partial<HandshakeOptions>][] = [
      ["WRONG_CLUSTER", a({ cluster: "other" }), {}],
      ["WRONG_CLUSTER", a({ node: "stranger" }), {}],
      ["WRONG_CLUSTER", { dialled: "c" }, {}],
      ["WRONG_CLUSTER", { isKnownNode: () => false }, {}],
      ["PROTOCOL", a({ node: "b" }), {}],
      ["PROTOCOL", a({ boot: "boot of b" }), {}],
      ["PROTOCOL", {}, { nonce: NONCE_A }],
      ["UNKNOWN_FORMAT", a({ formatVersion: 2 }), {}],
      ["UNKNOWN_FORMAT", {}, b({ formatVersion: 2 })],
    ];
    for (const [code, ofDialler, ofAcceptor] of cases) {
      assert.throws(() => shake(side("a", ofDialler), side("b", ofAcceptor)), refusal(code));
    }
  });

  it("takes the frames in their order only", () => {
    const hello = side("a").start().send?.payload ?? Buffer.alloc(0);
    const wrong: WireMessage[][] = [
      [message(FRAME.proof, Buffer.alloc(32))],
      [message(FRAME.ping, Buffer.alloc(0))],
      [message(FRAME.message, Buffer.alloc(10))],
      [message(FRAME.request, Buffer.alloc(10))],
      [message(FRAME.response, Buffer.alloc(10))],
      [message(FRAME.hello, hello), message(FRAME.hello, hello)],
    ];
    for (const messages of wrong) {
      const acceptor = side("b");
      assert.throws(() => messages.forEach((each) => acceptor.receive(each)), ProtocolError);
    }
  });

  it("knows a refusal of the other node for what it is", () => {
    const payload = encodeFailure({ error: new KvError("UNAUTHORIZED", "no"), sent: false });
    assert.throws(
      () => side("a").receive(message(FRAME.refused, payload)),
      (error) =>
        error instanceof HandshakeRefused && error.byPeer && error.code === "UNAUTHORIZED" && error.message === "no",
    );
  });

  it("throws nothing but refusals and ProtocolError whatever comes, and is never convinced", () => {
    const [dialler, acceptor] = [side("a"), side("b")];
    const hello = dialler.start();
    const proof = carry(carry(hello, acceptor), dialler);
    const valid = [
      hello.send?.payload ?? Buffer.alloc(0),
      encodeFailure({ error: new KvError("BUSY", "x"), sent: true }),
    ];
    const types = Object.values(FRAME);
    let at = 0;
    for (const payload of mutations(valid, fuzzRuns(20_000), 4)) {
      const target = side("b", { nonce: "d".repeat(32) });
      try {
        target.receive(message(types[at++ % 3] ?? FRAME.hello, payload));
        const step = target.receive(message(FRAME.proof, proof.send?.payload ?? Buffer.alloc(32)));
        assert.fail(`convinced: ${JSON.stringify(step.peer)}`);
      } catch (error) {
        assert.ok(error instanceof HandshakeRefused || error instanceof ProtocolError, String(error));
      }
    }
  });

  it("is not convinced by a proof of any other key", () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 40 }), fc.uint8Array({ maxLength: 200 }), (key, text) => {
        const acceptor = side("b");
        carry(side("a").start(), acceptor);
        const payload = createHmac("sha256", key).update(text).digest();
        assert.throws(() => acceptor.receive(message(FRAME.proof, payload)), refusal("UNAUTHORIZED"));
      }),
      { numRuns: fuzzRuns(300) },
    );
  });
});
