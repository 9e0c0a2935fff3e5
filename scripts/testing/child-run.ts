import { spawn } from "node:child_process";

/** What a finished child left behind. `timedOut` means that it was killed with everything that it had started. */
export interface ChildOutcome {
  readonly exitCode: number | null;
  readonly output: string;
  readonly timedOut: boolean;
  readonly durationMs: number;
}

const STREAM_GRACE_MS = 1_000;
const OUTPUT_CHARS_MAX = 400_000;
const liveGroups = new Set<number>();

process.on("exit", () => liveGroups.forEach(killGroup));
for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) {
  process.on(signal, () => process.exit(130));
}

/**
 * Runs a command in a process group of its own and collects both of its streams. When `timeoutMs` is over, or this
 * process ends, the whole group is killed, so that no cluster outlives the test that started it.
 */
export async function runChild(
  command: readonly [string, ...string[]],
  options: { readonly cwd: string; readonly timeoutMs: number },
): Promise<ChildOutcome> {
  const startedMs = performance.now();
  const [program, ...parameters] = command;
  // A test file started by a test must not report to the outer runner.
  const { NODE_TEST_CONTEXT: _outer, ...env } = process.env;
  const child = spawn(program, parameters, {
    cwd: options.cwd,
    env,
    detached: true,
    stdio: ["ignore", "pipe", "pipe"],
  });
  const groupId = child.pid;
  if (groupId !== undefined) liveGroups.add(groupId);
  let output = "";
  const collect = (chunk: string): void => {
    if (output.length < OUTPUT_CHARS_MAX) output += chunk;
  };
  child.stdout.setEncoding("utf8").on("data", collect);
  child.stderr.setEncoding("utf8").on("data", collect);
  let timedOut = false;
  const timer = setTimeout(() => {
    timedOut = true;
    if (groupId !== undefined) killGroup(groupId);
  }, options.timeoutMs);
  const exitCode = await new Promise<number | null>((resolve) => {
    child.once("close", resolve);
    // A grandchild that kept the pipes open must not keep us waiting once the child itself has ended.
    child.once("exit", (code) => setTimeout(resolve, STREAM_GRACE_MS, code).unref());
    child.once("error", (error) => {
      output += String(error);
      resolve(null);
    });
  });
  clearTimeout(timer);
  if (groupId !== undefined) {
    killGroup(groupId);
    liveGroups.delete(groupId);
  }
  child.stdout.destroy();
  child.stderr.destroy();
  return { exitCode, output, timedOut, durationMs: performance.now() - startedMs };
}

function killGroup(groupId: number): void {
  try {
    process.kill(-groupId, "SIGKILL");
  } catch {
    // The group is gone already, which is what we want.
  }
}
