const KIB = 1024;
const MIB = 1024 * KIB;

/**
 * Every limit of the product, in one place. Units stand in the names. Reaching a bound is a definite refusal with a code
 * of errors.ts, never growth.
 */
export const LIMITS = {
  keyBytesMax: 1024,
  valueBytesMax: 16 * MIB,
  contentTypeBytesMax: 255,
  urlBytesMax: 8 * KIB,
  headerBytesMax: 16 * KIB,
  headerCountMax: 100,
  jsonDepthMax: 32,
  batchOperationsMax: 1000,
  batchBytesMax: 16 * MIB,
  scanRowsMax: 1000,
  scanRowsDefault: 100,
  scanPageBytesMax: 4 * MIB,
  scanExaminedMax: 10_000,
  connectionsMax: 10_000,
  /** Bodies being read from clients of this node, all together (rule K6). */
  bodiesInFlightBytesMax: 256 * MIB,
  /** What may lie in a client's outgoing buffer before the connection is closed. */
  outgoingBytesMax: 4 * MIB,

  /** Uncommitted tail of one shard; beyond it new writes are refused (rule K5). One entry is always let in (rule K6). */
  uncommittedBytesMax: 16 * MIB,
  uncommittedEntriesMax: 10_000,
  /** Age of the oldest uncommitted entry beyond which new writes are refused (rule K5). */
  uncommittedAgeMsMax: 1000,
  /** How long a member of the in-sync set may be silent before what needs it is refused (rule K5). */
  inSyncSilenceMsMax: 1000,
  /** How long a write waits for its commit before its outcome is called unknown (rule K3). */
  writeWaitMsMax: 5000,
  /** How long a read waits for what it saw to be committed (rule R2). */
  readWaitMsMax: 1000,
  /** Operations of one shard parked until the log has prepared its next segment. */
  parkedOperationsMax: 10_000,

  memtableBytesMax: 64 * MIB,
  /** The active map is sealed into a run beyond this. */
  memtableActiveBytesMax: 4 * MIB,
  /** Charged for each version in the memtable besides its key and value. */
  memtableEntryOverheadBytes: 200,

  frameBytesMax: 256 * KIB,
  /** A message larger than any legal one: one value, one batch or one pull, with room for what surrounds it. */
  messageBytesMax: 24 * MIB,
  peerRequestsInFlightMax: 10_000,
  peerOutgoingBytesMax: 64 * MIB,
  /** Entries carried by one answer to a pull; a single larger entry travels alone. */
  pullBytesMax: 1 * MIB,
  snapshotChunkBytesMax: 1 * MIB,
  hopsMax: 2,
  forwardDeadlineMs: 6000,

  ttlMsMax: 100 * 365 * 24 * 3600 * 1000,
} as const;
