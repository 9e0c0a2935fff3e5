import { unreachable } from "../../../src/base/assert.ts";
import type { RegisterOperation, RegisterResult } from "./history.ts";

/** The value of a write nobody observed; two of them are interchangeable. */
export const GHOST: unique symbol = Symbol("ghost");
/** The value at the start of a window cut out of a longer history: whatever the first read says. */
export const FREE: unique symbol = Symbol("free");

export type RegisterValue = string | null | typeof GHOST | typeof FREE;

/**
 * What one key holds between two operations.
 *
 * `version` is undefined while it is not known yet: a write without an answer took effect and nobody has read it. The first
 * reader binds it. `floor` is the highest version known to have been given out (rule G3: versions only rise).
 * `ruledOut` lists versions that the unbound version cannot be, because a precondition naming them failed.
 */
export interface RegisterState {
  readonly value: RegisterValue;
  readonly version: number | undefined;
  readonly floor: number;
  readonly ruledOut: readonly number[];
}

/** A key that was never written. */
export const EMPTY: RegisterState = { value: null, version: undefined, floor: 0, ruledOut: [] };
/** A key about whose past nothing is known. */
export const ANYTHING: RegisterState = { value: FREE, version: undefined, floor: 0, ruledOut: [] };

/**
 * The state after `operation` answered `result` in `state`, or undefined when that answer is impossible there.
 * Returns the same object when the operation changed nothing and taught nothing.
 */
export function stepAnswered(
  state: RegisterState,
  operation: RegisterOperation,
  result: RegisterResult,
): RegisterState | undefined {
  switch (operation.kind) {
    case "get":
      return stepGet(state, result);
    case "put":
      return result.kind === "written" ? written(state, operation.value, result.version) : undefined;
    case "putIfAbsent":
      return stepPutIfAbsent(state, operation.value, result);
    case "putIfVersion": {
      if (result.kind === "preconditionFailed") return withoutVersion(state, operation.version);
      const matched = withVersion(state, operation.version);
      if (matched === undefined || result.kind !== "written") return undefined;
      return written(matched, operation.value, result.version);
    }
    case "delete":
      return result.kind === "deleted" ? stepDelete(state, result) : undefined;
    case "deleteIfVersion": {
      if (result.kind === "preconditionFailed") return withoutVersion(state, operation.version);
      const matched = withVersion(state, operation.version);
      if (matched === undefined || result.kind !== "deleted" || !result.existed) return undefined;
      return deleted(matched, result.version);
    }
    case "increment":
      return stepIncrement(state, operation.by, result);
    default:
      return unreachable(operation);
  }
}

/**
 * The state after `operation`, whose answer was never seen, took effect in `state`; the same object when it would have changed
 * nothing. `storedValue` is the value it leaves behind if it writes one: GHOST when nobody observed it.
 */
export function stepUnanswered(
  state: RegisterState,
  operation: RegisterOperation,
  storedValue: string | typeof GHOST,
): RegisterState {
  const overwritten: RegisterState = { value: storedValue, version: undefined, floor: state.floor, ruledOut: [] };
  switch (operation.kind) {
    case "get":
      return state;
    case "put":
      return overwritten;
    case "putIfAbsent":
      return state.value === null || state.value === FREE ? overwritten : state;
    case "putIfVersion": {
      const matched = withVersion(state, operation.version);
      return matched === undefined ? state : { ...overwritten, floor: matched.floor };
    }
    case "delete":
      return state.value === null ? state : deletedSilently(state);
    case "deleteIfVersion": {
      const matched = withVersion(state, operation.version);
      return matched === undefined ? state : deletedSilently(matched);
    }
    case "increment": {
      const next = integerAfter(state.value, operation.by);
      if (next === undefined) return state;
      return { ...overwritten, value: next === FREE ? FREE : String(next) };
    }
    default:
      return unreachable(operation);
  }
}

/** A text that two states share exactly when they are equal. */
export function stateKey(state: RegisterState): string {
  const value = typeof state.value === "symbol" ? state.value.description : JSON.stringify(state.value);
  return `${state.version}/${state.floor}/${state.ruledOut.join(",")}/${value}`;
}

function stepGet(state: RegisterState, result: RegisterResult): RegisterState | undefined {
  if (result.kind === "absent") {
    if (state.value === null) return state;
    return state.value === FREE ? { ...EMPTY, floor: state.floor } : undefined;
  }
  if (result.kind !== "value") return undefined;
  if (state.value === FREE) return withVersion({ ...state, value: result.value }, result.version);
  return state.value === result.value ? withVersion(state, result.version) : undefined;
}

function stepPutIfAbsent(state: RegisterState, value: string, result: RegisterResult): RegisterState | undefined {
  if (result.kind === "preconditionFailed") return state.value === null ? undefined : state;
  if (result.kind !== "written") return undefined;
  return state.value === null || state.value === FREE ? written(state, value, result.version) : undefined;
}

function stepDelete(
  state: RegisterState,
  result: { readonly existed: boolean; readonly version?: number },
): RegisterState | undefined {
  if (!result.existed) {
    if (state.value === null) return state;
    return state.value === FREE ? { ...EMPTY, floor: state.floor } : undefined;
  }
  return state.value === null ? undefined : deleted(state, result.version);
}

function stepIncrement(state: RegisterState, by: number, result: RegisterResult): RegisterState | undefined {
  const next = integerAfter(state.value, by);
  if (result.kind === "notAnInteger") return next === undefined || next === FREE ? state : undefined;
  if (result.kind !== "incremented" || next === undefined) return undefined;
  return next === FREE || next === result.value ? written(state, String(result.value), result.version) : undefined;
}

/** The integer that an increment by `by` makes of `value`; undefined when it is refused; FREE when that is open. */
function integerAfter(value: RegisterValue, by: number): number | undefined | typeof FREE {
  if (value === FREE) return FREE;
  if (value === null) return by;
  return typeof value === "string" && /^-?\d{1,15}$/.test(value) ? Number(value) + by : undefined;
}

function written(state: RegisterState, value: string, version: number): RegisterState | undefined {
  return version > state.floor ? { value, version, floor: version, ruledOut: [] } : undefined;
}

function deleted(state: RegisterState, version: number | undefined): RegisterState | undefined {
  if (version === undefined) return deletedSilently(state);
  return version > state.floor ? { ...EMPTY, floor: version } : undefined;
}

function deletedSilently(state: RegisterState): RegisterState {
  return { ...EMPTY, floor: state.floor };
}

/** `state` with its version known to be `version`, or undefined when it cannot be. */
function withVersion(state: RegisterState, version: number): RegisterState | undefined {
  if (state.value === null) return undefined;
  if (state.version !== undefined) return state.version === version ? state : undefined;
  if (version <= state.floor || state.ruledOut.includes(version)) return undefined;
  return { value: state.value, version, floor: version, ruledOut: [] };
}

/** `state` with its version known not to be `version`, or undefined when it is. */
function withoutVersion(state: RegisterState, version: number): RegisterState | undefined {
  if (state.version === version) return undefined;
  if (state.value === null || state.version !== undefined || version <= state.floor) return state;
  if (state.ruledOut.includes(version)) return state;
  return { ...state, ruledOut: [...state.ruledOut, version].sort((a, b) => a - b) };
}
