import { MemberFixture, NODES } from "./member-fixture.ts";
import { SimCrashError } from "./sim-disk.ts";

/** Bytes of log that a leader keeps for a replica that is away: little, so that the replica has to copy rows. */
const LOG_RETAIN_BYTES_MAX = 5000;

/**
 * A leader and its replica in `async` mode, with a network that delivers everything after a millisecond. A member that dies in
 * the middle of a change stays dead until its `crash`.
 */
export class MemberPair {
  readonly leader: MemberFixture = new MemberFixture({
    node: NODES.a,
    replication: "async",
    logRetainBytesMax: LOG_RETAIN_BYTES_MAX,
  });
  readonly replica: MemberFixture = new MemberFixture({
    node: NODES.b,
    replication: "async",
    logRetainBytesMax: LOG_RETAIN_BYTES_MAX,
  });
  readonly #dead = new Set<MemberFixture>();

  /** Whether the replica has died in the middle of a change. */
  get hasReplicaDied(): boolean {
    return this.#dead.has(this.replica);
  }

  /** Ends the replica where it stands. */
  killReplica(): void {
    this.#dead.add(this.replica);
  }

  /** Starts the replica, again if it ran before. */
  startReplica(): void {
    const isAgain = this.#dead.delete(this.replica) || this.replica.isStarted;
    this.#survive(this.replica, () => (isAgain ? this.replica.crash() : this.replica.start()));
  }

  advance(durationMs: number): void {
    for (let passedMs = 0; passedMs < durationMs; passedMs++) {
      const [fromLeader, fromReplica] = [this.leader.sent, this.replica.sent];
      this.leader.sent = [];
      this.replica.sent = [];
      this.#deliver(fromLeader, this.leader, this.replica);
      this.#deliver(fromReplica, this.replica, this.leader);
      for (const member of [this.leader, this.replica]) this.#survive(member, () => member.advance(1));
    }
  }

  #deliver(sent: MemberFixture["sent"], from: MemberFixture, to: MemberFixture): void {
    if (!to.isStarted || this.#dead.has(to)) return;
    for (const { type, header, body } of sent) {
      // Header and type were sent together.
      this.#survive(to, () => to.hear(from.node, type, structuredClone(header), body));
    }
  }

  #survive(member: MemberFixture, run: () => void): void {
    if (this.#dead.has(member)) return;
    try {
      run();
    } catch (error) {
      if (!(error instanceof SimCrashError)) throw error;
    }
    if (member.disk.isDead) this.#dead.add(member);
  }
}
