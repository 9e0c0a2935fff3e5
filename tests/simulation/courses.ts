/** So many seeds of a scenario, from the first on. */
export interface Course {
  readonly scenario: string;
  readonly what: string;
  readonly seeds: number;
}

/** What every test run simulates, and what the coverage is measured of. */
export const COURSES: readonly Course[] = [
  { scenario: "cluster", what: "a cluster in static mode", seeds: 240 },
  { scenario: "failover", what: "a cluster with a coordinator", seeds: 280 },
  { scenario: "cluster-copies", what: "a replica that copies rows", seeds: 60 },
  { scenario: "cluster-full-leaders", what: "a leader whose disk is full", seeds: 12 },
];
