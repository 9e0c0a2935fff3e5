import { batchesEnd } from "./segment-format.ts";
import type { Disk } from "../base/disk.ts";
import type { Epoch, Sequence } from "../model/position.ts";
import { findLogFiles, inspectLog, readSegmentHeaders } from "./log-inspection.ts";
import type { FoundSegment, LogInspection } from "./log-inspection.ts";

/** Something about a log that is not as it should be. */
export interface LogFinding {
  /** "error": data are damaged. "warning": the next start sets it right without losing what was flushed. */
  readonly severity: "error" | "warning";
  readonly file: string;
  readonly offset: number;
  readonly detail: string;
}

/** What a check found. */
export interface LogCheck {
  readonly segmentCount: number;
  readonly entryCount: number;
  readonly entryBytes: number;
  readonly startSequence: Sequence;
  readonly lastSequence: Sequence;
  readonly lastEpoch: Epoch;
  /** Lower bound of what is committed, as batch headers name it. */
  readonly commitSequence: Sequence;
  readonly findings: readonly LogFinding[];
}

/**
 * Verifies every segment, batch and entry of a log directory that no process uses. Changes nothing. Throws KvError
 * UNKNOWN_FORMAT, or the disk's error.
 */
export function checkLog(disk: Disk, directory: string): LogCheck {
  const files = findLogFiles(disk, directory, "readOnly");
  try {
    const inspection = inspectLog(files);
    const { kept, lastSequence, epochs, commitSequence } = inspection;
    return {
      segmentCount: files.chain.length,
      entryCount: kept.reduce((sum, { segment }) => sum + segment.lastSequence - segment.firstSequence + 1, 0),
      entryBytes: kept.reduce((sum, { entryBytes }) => sum + entryBytes, 0),
      startSequence: kept[0]?.segment.firstSequence ?? lastSequence + 1,
      lastSequence,
      lastEpoch: epochs.at(-1)?.epoch ?? 0,
      commitSequence,
      findings: [...files.chain.flatMap((found) => headerFindings(found)), ...contentFindings(inspection)],
    };
  } finally {
    for (const { file } of files.chain) file.close();
  }
}

function headerFindings(found: FoundSegment): LogFinding[] {
  const { path, file, header } = found;
  const finding = (offset: number, detail: string): LogFinding => ({ severity: "warning", file: path, offset, detail });
  if (header === null) return [];
  const findings: LogFinding[] = [];
  const { front, back } = readSegmentHeaders(file);
  if (front === null) findings.push(finding(0, "the header is damaged; its copy at the end is whole"));
  if (back === null) findings.push(finding(batchesEnd(header), "the header's copy at the end is missing or damaged"));
  if (file.sizeBytes < header.sizeBytes) {
    findings.push(
      finding(file.sizeBytes, `the file has ${file.sizeBytes} bytes, it was made with ${header.sizeBytes}`),
    );
  }
  return findings;
}

function contentFindings(inspection: LogInspection): LogFinding[] {
  const findings: LogFinding[] = [];
  for (const { found, end } of inspection.kept) {
    if (end.problem === null || found.path === inspection.problem?.file) continue;
    findings.push({ severity: "warning", file: found.path, ...end.problem });
  }
  const { problem, corruption, lastSequence, tornBytes } = inspection;
  if (corruption !== null) {
    const detail = `${corruption.detail}; it had been flushed: the log is damaged behind entry ${lastSequence}`;
    findings.push({ ...corruption, severity: "error", detail });
  } else if (problem !== null) {
    const detail = `${problem.detail}; nothing proves that it was flushed: the next start drops ${tornBytes} bytes behind entry ${lastSequence}`;
    findings.push({ ...problem, severity: "warning", detail });
  }
  return findings;
}
