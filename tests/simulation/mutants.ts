import type { MutantId } from "../protocol-model/mutants.ts";

/** A planted mistake of replication.md §3 that the simulation finds, and the scenario that makes it likely to show. */
export interface SimulatedMutant {
  readonly id: string;
  readonly mistake: string;
  readonly scenario: string;
  /** A seed of that scenario which shows it. */
  readonly seed: number;
}

/** A planted mistake that a test of its own shows: its situation is too rare, or too far below, for the simulation. */
export interface TestedMutant {
  readonly id: string;
  readonly mistake: string;
  readonly file: string;
  readonly test: string;
}

const simulated = (id: string, mistake: string, scenario: string, seed: number): SimulatedMutant => ({
  id,
  mistake,
  scenario: `cluster-${scenario}`,
  seed,
});

const tested = (id: string, mistake: string, file: string, test: string): TestedMutant => ({ id, mistake, file, test });

export const SIMULATED_MUTANTS: readonly SimulatedMutant[] = [
  simulated("M01", "acknowledges before the flush", "power", 1),
  simulated("M02", "a replica confirms what it has received, not flushed", "failovers", 2),
  simulated("M03", "acknowledged when any replica has it, though any in-sync member may be promoted", "takeovers", 1),
  simulated("M04", "the leader drops a member from its own set before the coordinator has", "takeovers", 1),
  simulated("M05", "the leader goes on with the set that it had read when it began", "takeovers", 1),
  simulated(
    "M06",
    "waits of clients survive the leadership, and end when the next one's commits pass their positions",
    "takeovers",
    2,
  ),
  simulated("M07", "a time-out after the append is answered as a failure", "failovers", 1),
  simulated("M08", "acknowledged at the leader's own flush as if the whole set had it", "takeovers", 1),
  simulated("M10", "a replica's confirmation counts before the log ends were found to match", "balanced", 12),
  simulated("M11", "one outcome for all operations of a batch", "failovers", 1),
  simulated("M12", "only a timer ends the lease", "takeovers", 2),
  simulated("M14", "the lease counts from the receipt of the echo", "takeovers", 3),
  simulated("M16", "the promise is kept by the wall clock", "leases", 5),
  simulated("M17", "a majority of echoes makes a lease", "trios", 484),
  simulated("M19", "a promise is forgotten at a restart", "leases", 5),
  simulated("M21", "a leader whose disk hangs keeps the others from leading", "useless-leaders", 1),
  simulated("M22", "a leader relies upon having read the document lately", "takeovers", 2),
  simulated("M23", "the grace time is shorter than the lease", "takeovers", 4),
  simulated("M24", "a leader that needs nobody never looks at the document again", "forced", 19),
  simulated("M25", "a replica cuts its log to its own commit mark when it begins to follow", "takeovers", 2),
  simulated("M26", "log ends are compared by length only", "balanced", 12),
  simulated("M27", "a leader that starts again goes on in its old epoch", "balanced", 1),
  simulated("M29", "the highest epoch seen is kept in memory only", "balanced", 1),
  simulated("M30", "the first answer about where logs part is taken as final", "trios", 19),
  simulated("M31", "what is not committed reaches the tree", "copies", 3),
  simulated("M33", "a cut below what is committed is taken silently", "balanced", 58),
  simulated("M37", "a new member counts only after the coordinator has confirmed it", "takeovers", 1),
  simulated("M38", "a change of unknown outcome counts as failed after one more look", "takeovers", 4),
  simulated("M42", "a coordinator restored from an old backup is believed", "restored", 1),
  simulated("M43", "a replica discards its data under its old name", "damaged", 53),
  simulated("M44", "a member outside the in-sync set takes over because nobody else does", "takeovers", 1),
  simulated("M45", "a leader answers with what is not committed", "failovers", 1),
  simulated("M46", "deletes that are not committed are not waited for", "failovers", 1),
  simulated("M47", "the memtable has an entry only after the log has it", "failovers", 1),
  simulated("M48", "a miss or a failed precondition is answered although what it saw is not committed", "failovers", 2),
  simulated("M49", "a new leader answers reads before its first entry is committed", "failovers", 196),
  simulated("M50", "a replica shows what it has merely received", "failovers", 15),
  simulated("M52", "a page of a scan mixes two states", "balanced", 3),
  simulated("M53", "a session token is compared by its sequence alone", "lossy-sessions", 7),
  simulated("M54", "the log is trimmed although a replica that is away needs it", "retention", 2),
  simulated("M55", "a snapshot holds what is not committed", "torn-copies", 77),
  simulated("M56", "a copy counts as whole before its log has caught up with its rows", "copies", 13),
  simulated("M57", "a snapshot leaves out the epochs", "copies", 3),
  simulated("M58", "increments of the log are done again to what the tree holds", "replays", 1),
  simulated("M60", "requests are remembered outside the log", "sessions", 3),
  simulated("M61", "a request is answered again from what is not committed", "sessions", 2),
  simulated("M65", "a failed flush is tried again", "power", 29),
  simulated("M66", "space is looked at after the append", "brim-full", 1),
  simulated("M68", "checksums are not looked at", "corruption", 1),
  simulated("M69", "a damaged copy may lead", "corruption", 6),
  simulated("M70", "other requests come between a request's look and its write", "failovers", 5),
  simulated("M95", "the version base is left out of a copy", "copies", 7),
  simulated("M98", "a copy's log begins behind the commit position instead of the tree's", "copies", 13),
  simulated("M99", "an incomplete copy counts for the in-sync set", "copies", 77),
  simulated("M100", "epochs are compared without their terms", "duels", 3),
  simulated("M101", "two writes share a version", "failovers", 1),
  simulated("M102", "the tree takes in what its own node has not flushed", "slow-disks", 3),
  simulated("X11", "a replica counts its freshness from the coming of its leader's word", "static-sessions", 7),
  simulated("X12", "a store with a torn end leads, whoever may have what it lost", "damaged", 148),
];

export const TESTED_MUTANTS: readonly TestedMutant[] = [
  tested(
    "M93",
    "a role begins while the flush of the one before still runs",
    "src/replication/shard-member.test.ts",
    "begins nothing before the flush returns, and says after some seconds what it waits for (M93)",
  ),
  tested(
    "M36",
    "a member is added that lacks the beginning of the leadership",
    "src/replication/coordinated-set.test.ts",
    "proposes nobody that lacks this leader's first entry (I2, M36)",
  ),
  tested(
    "M59",
    "a copy is read in one long transaction",
    "src/tree/lmdb-tree.test.ts",
    "a copy in chunks lets the file reuse its pages while rows are rewritten (M59)",
  ),
  tested(
    "M64",
    "a node asks another one to do what may have been done already",
    "src/node/node-core.test.ts",
    "a read whose answer was lost is asked again; a write never is (M64)",
  ),
  tested(
    "M96",
    "a leader that does not hear its replicas goes on asking for promises",
    "src/replication/term-lease.test.ts",
    "asks for none while a member that a commit needs has been silent for a whole lease (L10, M96)",
  ),
  tested(
    "M13",
    "the lease is looked at before what was read is committed",
    "src/replication/strict-reads.test.ts",
    "is checked when what was read is committed, not when it came (L3, M13)",
  ),
  tested(
    "M51",
    "a replica calls itself fresh by the word of a leader without a lease",
    "src/replication/freshness.test.ts",
    "no moment that a leader without a lease speaks of (M51)",
  ),
  tested(
    "M63",
    "requests are forgotten by a node's own clock",
    "src/replication/request-ids.test.ts",
    "a leader that forgets by its wall clock (M63)",
  ),
  tested(
    "M09",
    "a confirmation of an older session counts",
    "src/replication/replica-sessions.test.ts",
    "forgets at a new HELLO what an older one had confirmed (M09)",
  ),
  tested(
    "M28",
    "a replica follows a leader of a lower epoch than it has seen",
    "src/replication/leadership-memory.test.ts",
    "refuses an epoch lower than any seen, or than the log's own, and changes nothing (P1, M28)",
  ),
  tested(
    "M34",
    "a message of an older session is taken for one of the present",
    "src/replication/replica-sessions.test.ts",
    "drops messages of an older session, or of another epoch (M34)",
  ),
  tested(
    "M67",
    "the lock of a data directory goes by a file's age",
    "src/log/directory-lock.test.ts",
    "that check notices a lock that goes by a file's age (M67)",
  ),
  tested(
    "M92",
    "a flush reports the end of the log instead of what it contained",
    "src/log/log-flush.test.ts",
    "that check notices a flush that reports the end of the log (M92)",
  ),
  tested(
    "M94",
    "copied rows are put over newer effects of the log",
    "src/shard/log-applier.test.ts",
    "a copy is only stored where nothing was replayed (M94)",
  ),
];

/**
 * Planted mistakes that only the model of the protocol shows (tests/protocol-model): their situations are too rare for simulated
 * seeds, or the code has no place where one line would plant them.
 */
export const MODELLED_MUTANTS: readonly MutantId[] = ["M15", "M18", "M20", "M35", "M39", "M40"];
