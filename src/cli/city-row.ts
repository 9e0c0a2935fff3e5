import type { StoredRow } from "./stored-row.ts";

/** A city as the data set has it; other members are stored as they are. */
export interface City {
  readonly country: string;
  readonly name: string;
}

export function isCity(value: unknown): value is City {
  if (typeof value !== "object" || value === null || !("country" in value) || !("name" in value)) return false;
  return typeof value.country === "string" && typeof value.name === "string";
}

/**
 * The row of a city: key `city:<country>:<name>:<id>`, value the city as JSON with its id. The data set has no ids: the id is
 * the city's place in it, from 1 on, so every run writes the same keys.
 */
export function cityRow(city: City, index: number): StoredRow {
  const id = index + 1;
  return {
    key: Buffer.from(`city:${city.country}:${city.name}:${id}`, "utf8"),
    value: Buffer.from(JSON.stringify({ id, ...city }), "utf8"),
    contentType: "application/json",
    expiresAtMs: null,
  };
}
