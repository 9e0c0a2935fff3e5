import type { Distribution } from "./key-chooser.ts";

export const OPERATION_KINDS = ["read", "write", "insert", "scan", "readModifyWrite"] as const;

export type OperationKind = (typeof OPERATION_KINDS)[number];

export const WORKLOADS = [
  "read",
  "write",
  "mixed",
  "ycsb-a",
  "ycsb-b",
  "ycsb-c",
  "ycsb-d",
  "ycsb-e",
  "ycsb-f",
] as const;

export type WorkloadName = (typeof WORKLOADS)[number];

/** What is done how often, and to which keys unless told otherwise. */
export interface Workload {
  /** Shares, which sum to 1. */
  readonly shares: readonly (readonly [kind: OperationKind, share: number])[];
  readonly distribution: Distribution;
}

/** YCSB's core workloads: Cooper et al., "Benchmarking cloud serving systems with YCSB" (SoCC 2010), table 2. */
export function workloadOf(name: WorkloadName, readFraction: number): Workload {
  switch (name) {
    case "read":
      return { shares: [["read", 1]], distribution: "uniform" };
    case "write":
      return { shares: [["write", 1]], distribution: "uniform" };
    case "mixed":
      return { shares: twoShares("read", readFraction, "write"), distribution: "uniform" };
    case "ycsb-a":
      return { shares: twoShares("read", 0.5, "write"), distribution: "zipfian" };
    case "ycsb-b":
      return { shares: twoShares("read", 0.95, "write"), distribution: "zipfian" };
    case "ycsb-c":
      return { shares: [["read", 1]], distribution: "zipfian" };
    case "ycsb-d":
      return { shares: twoShares("read", 0.95, "insert"), distribution: "latest" };
    case "ycsb-e":
      return { shares: twoShares("scan", 0.95, "insert"), distribution: "zipfian" };
    case "ycsb-f":
      return { shares: twoShares("read", 0.5, "readModifyWrite"), distribution: "zipfian" };
  }
}

/** The kind that a number in [0, 1) stands for. */
export function kindAt(shares: Workload["shares"], position: number): OperationKind {
  let left = position;
  for (const [kind, share] of shares) {
    if (left < share) return kind;
    left -= share;
  }
  // Only reached by rounding: the last share's upper end.
  return shares.at(-1)?.[0] ?? "read";
}

function twoShares(first: OperationKind, share: number, second: OperationKind): Workload["shares"] {
  return [
    [first, share],
    [second, 1 - share],
  ];
}
