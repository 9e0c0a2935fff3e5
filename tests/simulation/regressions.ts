/** A seed that failed once, kept: what it showed has been repaired, and must stay so. */
export interface Regression {
  readonly scenario: string;
  readonly seed: number;
  readonly showed: string;
}

export const REGRESSIONS: readonly Regression[] = [
  {
    scenario: "cluster-balanced",
    seed: 40,
    showed: "promised room in the log was thrown away by a question about a larger entry",
  },
  {
    scenario: "cluster-balanced",
    seed: 72,
    showed: "an empty member was promoted past a leader that it had never heard of",
  },
  { scenario: "cluster-balanced", seed: 150, showed: "an empty member was promoted past a leader that was gone" },
  {
    scenario: "cluster-balanced",
    seed: 331,
    showed: "answers to the directory's queries hid those to the member's own",
  },
  { scenario: "cluster-balanced", seed: 395, showed: "fetching a longer log ended with its first flush" },
  {
    scenario: "cluster-balanced",
    seed: 632,
    showed: "a wiped leader that began anew left its replica greeting for ever",
  },
  {
    scenario: "cluster",
    seed: 702541,
    showed: "the simulated network sent requests over a new connection while older ones were under way on the last",
  },
  {
    scenario: "cluster",
    seed: 704367,
    showed: "a replica's newest batch, lost to a flipped bit, was taken for a breach",
  },
  {
    scenario: "cluster",
    seed: 601938,
    showed:
      "a set with a member still to be cut, after data was given up, was taken for one that lacks what is committed",
  },
  { scenario: "cluster", seed: 602025, showed: "a search for an order without end was taken for a breach" },
  {
    scenario: "cluster",
    seed: 704732,
    showed: "a promoted leader left a member out of its set that had stored the new leadership with itself in it",
  },
  { scenario: "cluster", seed: 704502, showed: "the simulated network let requests overtake those that had waited" },
  { scenario: "cluster", seed: 504425, showed: "a leader with a damaged row was looked at, not healed" },
  { scenario: "cluster-retention", seed: 82, showed: "a leader that waited for room trimmed what its replicas needed" },
  {
    scenario: "cluster",
    seed: 200930,
    showed: "entries that a rival lacked were taken for lost although an earlier leader had built upon them",
  },
  {
    scenario: "cluster",
    seed: 201240,
    showed: "the check of the log's order held a late unanswered write to account for a failed precondition before it",
  },
  {
    scenario: "cluster",
    seed: 300555,
    showed: "a copy went on with the rows of a new leader whose tree had not reached the copy's base",
  },
  { scenario: "cluster", seed: 301114, showed: "a copy thrown away for a damaged row was taken for one cut off" },
  {
    scenario: "cluster",
    seed: 302920,
    showed: "fetching a longer log paused at every segment, and ran into a new epoch",
  },
  {
    scenario: "failover",
    seed: 3015,
    showed:
      "a leader of an async shard handed over to a member that lacked its last entry, and halted for good when it came back",
  },
  {
    scenario: "cluster-useless-leaders",
    seed: 1,
    showed: "a leader whose disk hung took its healthy replica out of the in-sync set, and nobody could take over",
  },
  {
    scenario: "cluster-coordinated",
    seed: 193,
    showed:
      "a replica outside the in-sync set sought the leadership again and again, and never followed for long enough to join",
  },
  {
    scenario: "cluster-coordinated",
    seed: 5840,
    showed:
      "the claim of a replica that was wiped meanwhile could still be accepted (the simulation wiped it too early)",
  },
  {
    scenario: "failover",
    seed: 771,
    showed:
      "a leader whose disk hung while the log's next segment was made appended nothing, and was not taken for stuck",
  },
  {
    scenario: "failover",
    seed: 3615,
    showed: "a member halted for good after a takeover, in async mode, by one that had flushed nothing yet",
  },
  {
    scenario: "failover",
    seed: 3538,
    showed: "the simulated clients joined what they had seen before and after a takeover that loses, unasked",
  },
  {
    scenario: "failover",
    seed: 33501,
    showed: "the simulation cut a connection after its faults were over",
  },
  {
    scenario: "failover",
    seed: 33480,
    showed: "a leader that was started again led on, though its disk had lost what its replica still had",
  },
  {
    scenario: "failover",
    seed: 6002075,
    showed: "a leader whose newest batch was damaged on its disk led on alone, though its replica still had it",
  },
  {
    scenario: "failover",
    seed: 6002461,
    showed: "a deposed leader whose clock stood still said that what came after it was lost",
  },
  {
    scenario: "failover",
    seed: 6002685,
    showed: "a leader came back while another was promoted by force (the simulation took the old one for stopped)",
  },
  {
    scenario: "failover",
    seed: 6000322,
    showed:
      "a bit flipped on a leader whose last change of its set was under way (the simulation flipped it too early)",
  },
  {
    scenario: "failover",
    seed: 6001723,
    showed: "the simulated coordinator went on being slow after its faults were over",
  },
  {
    scenario: "failover",
    seed: 7002236,
    showed: "the simulated disk forgot, when directories were exchanged, which removals were still to be flushed",
  },
  {
    scenario: "failover",
    seed: 7209617,
    showed: "a member with a torn end, which asks before it leads, was taken for one that may lead at once",
  },
  {
    scenario: "failover",
    seed: 7214605,
    showed: "a node that had heard of a newer leadership sent a write on to a leader that was deposed, which took it",
  },
  { scenario: "failover", seed: 7215503, showed: "the same" },
  {
    scenario: "failover",
    seed: 7201260,
    showed: "the simulation went by the set of a leader that was deposed",
  },
  {
    scenario: "cluster",
    seed: 9000128,
    showed: "the simulation took a leader that died between its promotion and its first entry for one that restarts",
  },
  {
    scenario: "failover",
    seed: 7308058,
    showed:
      "a replica took the welcome to an earlier greeting, then that session's old word that its log diverges, and halted",
  },
  {
    scenario: "failover",
    seed: 7307164,
    showed: "the simulation took a leader for one that had always led although it had followed one that never began",
  },
];
