/** What a node has counted since it started, for `/metrics`. Plain numbers: they are raised on hot paths. */
export class NodeCounters {
  /** Operations sent to another node for a client of this one, or passed on for another node. */
  forwarded = 0;
  /** Attempts made again after a definite refusal or a lost read. */
  retried = 0;
  /** Writes sent to another node whose fate nobody can tell (rule U5). */
  unknownOutcomes = 0;
  /** Operations of other nodes served here. */
  served = 0;
  /** Operations refused here because too many were under way. */
  overloaded = 0;
  /** Messages about a shard of which this node is no member. */
  messagesIgnored = 0;
  /** Polls of a shard's members for its leader (rule T4). */
  leaderPolls = 0;
}
