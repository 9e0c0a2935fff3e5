/**
 * Every limit of the product, in one place. Units stand in the names. Reaching a bound is a definite refusal with a code
 * of errors.ts, never growth.
 */
export const LIMITS = {
  keyBytesMax: 1024,
  valueBytesMax: 16_777_216,
  contentTypeBytesMax: 255,
  urlBytesMax: 8_192,
  headerBytesMax: 16_384,
  headerCountMax: 100,
  jsonDepthMax: 32,
  batchOperationsMax: 1000,
  batchBytesMax: 16_777_216,
  /** Operations of one command, and of one shard's part of it; a client's batch over HTTP has its own, smaller limit. */
  partOperationsMax: 65_535,
  /** Keys and values that one entry may write, whatever the operations were: what an entry can hold, with room to spare. */
  entryPayloadBytesMax: 20_000_000,
  /** What APPEND and SETRANGE may make of a value: entries are physical, so each of them logs all of it. */
  editedValueBytesMax: 1_048_576,
  scanRowsMax: 1000,
  scanRowsDefault: 100,
  scanPageBytesMax: 4_194_304,
  scanExaminedMax: 10_000,
  connectionsMax: 10_000,
  /** Bodies being read from clients of this node, all together (rule K6). */
  bodiesInFlightBytesMax: 268_435_456,
  /** What may lie in a client's outgoing buffer before the connection is closed. */
  outgoingBytesMax: 4_194_304,

  /** Uncommitted tail of one shard; beyond it new writes are refused (rule K5). One entry is always let in (rule K6). */
  uncommittedBytesMax: 16_777_216,
  uncommittedEntriesMax: 10_000,
  /** Age of the oldest uncommitted entry beyond which new writes are refused (rule K5). */
  uncommittedAgeMsMax: 1000,
  /** How long a member of the in-sync set may be silent before what needs it is refused (rule K5). */
  inSyncSilenceMsMax: 1000,
  /** How long a write waits for its commit before its outcome is called unknown (rule K3). */
  writeWaitMsMax: 5000,
  /** How long a read waits for what it saw to be committed (rule R2). */
  readWaitMsMax: 1000,
  /** How long a replica waits for what the asker has seen, before the leader is asked (§2.13). */
  sessionWaitMsMax: 250,
  /** Reads of one replica that wait for what their askers have seen. */
  sessionReadsMax: 10_000,

  /** Characters of a request id (rule U2), and how long one is remembered at least, by the log clock. */
  requestIdBytesMax: 64,
  requestIdKeptMs: 900_000,
  /** Request ids that one shard remembers. */
  requestIdsMax: 1_000_000,
  /** What is kept of a result, to be given again: more only reads make, which need no request id. */
  keptResultBytesMax: 65_536,
  /** Operations of one shard parked until the log has prepared its next segment. */
  parkedOperationsMax: 10_000,

  memtableBytesMax: 67_108_864,
  /** The active map is sealed into a run beyond this. */
  memtableActiveBytesMax: 4_194_304,
  /** Charged for each version in the memtable besides its key and value. */
  memtableEntryOverheadBytes: 200,

  /** The tree takes in what the memtable holds when this much has gathered, or after this long. */
  applyRunBytes: 16_777_216,
  applyDelayMs: 5000,

  /** A replica that has not been heard of for this long has no session any more. */
  sessionSilenceMsMax: 2000,

  /** A replica further behind than this is not ready. */
  readyLagEntriesMax: 10_000,
  readyLagMsMax: 5000,

  frameBytesMax: 262_144,
  /** A message larger than any legal one: one value, one batch or one pull, with room for what surrounds it. */
  messageBytesMax: 25_165_824,
  peerRequestsInFlightMax: 10_000,
  peerOutgoingBytesMax: 134_217_728,
  /** Messages between nodes that are larger are cut into pieces of this size, and others go between them. */
  peerFragmentBytes: 65_536,
  /** JSON header of a message between nodes. */
  peerHeaderBytesMax: 65_536,
  /** Cut messages of which a part has arrived, per connection: how many, and their whole sizes together. */
  peerPartialMessagesMax: 64,
  peerPartialBytesMax: 134_217_728,
  /** A frame before the handshake is done, and connections that have not done it yet. */
  peerHandshakeBytesMax: 4096,
  peerHandshakesMax: 128,
  /** Entries carried by one answer to a pull; a single larger entry travels alone. */
  pullBytesMax: 1_048_576,
  snapshotChunkBytesMax: 1_048_576,
  hopsMax: 2,
  forwardDeadlineMs: 6000,

  respElementsMax: 65_536,
  respCommandBytesMax: 33_554_432,
  respInlineBytesMax: 65_536,
  /** Commands waiting for EXEC, per connection: how many, and their bytes together. */
  respQueuedCommandsMax: 10_000,
  respQueuedBytesMax: 33_554_432,
  globBytesMax: 256,
  /** Positions of SCAN cursors kept by one node; the least recently used goes first. */
  scanPositionsMax: 65_536,

  /** One document of the coordinator, as JSON text in UTF-8. */
  documentBytesMax: 1_048_576,

  /** A node that stops answers its clients for so long after others have taken over: what is on its way still arrives. */
  farewellMs: 200,

  ttlMsMax: 3_153_600_000_000,
} as const;
