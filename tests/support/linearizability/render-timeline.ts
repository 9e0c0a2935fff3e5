import type { HistoryOperation, Outcome, RegisterOperation } from "./history.ts";

/** One line an operation, by time of call: id, client, logical times, times of the run, what was asked and answered. */
export function renderTimeline(operations: readonly HistoryOperation[], marked: ReadonlySet<number>): string {
  const lines = [...operations]
    .sort((a, b) => a.call - b.call)
    .map((operation) => {
      const { id, client, call, ret, calledAtMs, endedAtMs } = operation;
      const logical = `[${call}, ${Number.isFinite(ret) ? ret : "∞"}]`.padEnd(14);
      const times = `${calledAtMs.toFixed(1)}–${Number.isFinite(endedAtMs) ? endedAtMs.toFixed(1) : "∞"} ms`.padEnd(22);
      const mark = marked.has(id) ? ">" : " ";
      const asked = renderOperation(operation.operation).padEnd(28);
      return `${mark} #${String(id).padEnd(6)} client ${String(client).padEnd(3)} ${logical} ${times} ${asked} → ${renderOutcome(operation.outcome)}`;
    });
  return lines.join("\n");
}

function renderOperation(operation: RegisterOperation): string {
  const details = Object.entries(operation).filter(([name]) => name !== "kind");
  return `${operation.kind}(${details.map(([name, value]) => `${name}=${String(value)}`).join(", ")})`;
}

function renderOutcome(outcome: Outcome): string {
  if (outcome.kind !== "ok") return outcome.kind === "unknown" ? "unknown" : "not applied";
  const { kind, ...details } = outcome.result;
  const shown = Object.entries(details).map(([name, value]) => `${name}=${String(value)}`);
  const at = outcome.position === undefined ? "" : ` at ${outcome.position.epoch}/${outcome.position.sequence}`;
  return `${kind} ${shown.join(" ")}${at}`.trimEnd();
}
