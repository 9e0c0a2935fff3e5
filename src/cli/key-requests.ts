import { KvError } from "../model/errors.ts";
import type { Key } from "../model/key.ts";
import type { ClusterClient } from "./cluster-client.ts";
import { errorOf, jsonOf } from "./cluster-client.ts";
import { percentEncode } from "./key-argument.ts";
import type { NodeAnswer } from "./node-http.ts";

/** A value with what the answer says about it. */
export interface FoundValue {
  readonly value: Buffer;
  readonly version: number;
  readonly contentType: string;
  readonly shard: string;
  readonly node: string;
  readonly role: string;
  readonly lagMs: number;
}

export interface SetRequest {
  readonly key: Key;
  readonly value: Buffer;
  readonly contentType: string | undefined;
  readonly ttlSeconds: string | undefined;
  readonly durability: string | undefined;
  /** A version that the key must have, or "absent". */
  readonly condition: string | undefined;
}

export interface Written {
  readonly shard: string;
  readonly version: number;
  readonly created: boolean;
}

/** Reads one key; null when it does not exist. */
export async function getValue(
  client: ClusterClient,
  key: Key,
  consistency: string | undefined,
): Promise<FoundValue | null> {
  const headers: Record<string, string> = consistency === undefined ? {} : { "KV-Consistency": consistency };
  const answer = await client.ask({ method: "GET", path: pathOf(key), headers, isRepeatable: true });
  if (answer.status === 200) return foundValue(answer);
  const error = errorOf(answer);
  if (error.code === "NOT_FOUND") return null;
  throw error;
}

/** Writes one key. Throws PRECONDITION_FAILED when the condition does not hold. */
export async function setValue(client: ClusterClient, request: SetRequest): Promise<Written> {
  const { condition, contentType, durability, ttlSeconds } = request;
  const headers: Record<string, string> = {
    ...(contentType === undefined ? {} : { "Content-Type": contentType }),
    ...(durability === undefined ? {} : { "KV-Durability": durability }),
    ...conditionHeaders(condition),
  };
  const ttl = ttlSeconds === undefined ? "" : `&ttl=${encodeURIComponent(ttlSeconds)}`;
  const answer = await client.ask({
    method: "PUT",
    path: pathOf(request.key) + ttl,
    headers,
    body: request.value,
    isRepeatable: false,
  });
  const members = jsonOf(answer);
  return { shard: members.text("shard"), version: members.number("version"), created: answer.status === 201 };
}

/** Removes one key; false when it did not exist. */
export async function deleteKey(
  client: ClusterClient,
  request: { readonly key: Key; readonly durability: string | undefined; readonly condition: string | undefined },
): Promise<boolean> {
  const { key, durability, condition } = request;
  const headers: Record<string, string> = {
    ...(durability === undefined ? {} : { "KV-Durability": durability }),
    ...conditionHeaders(condition),
  };
  const answer = await client.ask({ method: "DELETE", path: pathOf(key), headers, isRepeatable: false });
  if (answer.status === 204) return true;
  const error = errorOf(answer);
  if (error.code === "NOT_FOUND") return false;
  throw error;
}

function pathOf(key: Key): string {
  return `/v1/kv?key=${percentEncode(key)}`;
}

function conditionHeaders(condition: string | undefined): Record<string, string> {
  if (condition === undefined) return {};
  return condition === "absent" ? { "If-None-Match": "*" } : { "If-Match": `"${condition}"` };
}

function foundValue(answer: NodeAnswer): FoundValue {
  return {
    value: answer.body,
    version: Number(header(answer, "kv-version")),
    contentType: header(answer, "content-type"),
    shard: decodeURIComponent(header(answer, "kv-shard")),
    node: header(answer, "kv-node"),
    role: header(answer, "kv-role"),
    lagMs: Number(header(answer, "kv-lag-ms")),
  };
}

function header(answer: NodeAnswer, name: string): string {
  const value = answer.headers[name];
  if (typeof value === "string") return value;
  throw new KvError("PROTOCOL", `${answer.node} answered without the header ${name}: is it a node of this database?`);
}
