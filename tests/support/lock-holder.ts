/**
 * A process that takes the lock of the directory given first and holds it until it is killed; says `locked` or the error's
 * code and message as JSON on one line. Mutants to plant follow as further arguments.
 */
import { plantMutant } from "../../src/base/mutants.ts";
import { DirectoryLock } from "../../src/log/directory-lock.ts";
import { KvError } from "../../src/model/errors.ts";

const [directory, ...mutants] = process.argv.slice(2);
if (directory === undefined) throw new Error("No directory was given");
for (const id of mutants) plantMutant(id);
try {
  DirectoryLock.take(directory);
  // Nothing here refers to the lock any more: it must not be collected as garbage.
  for (let i = 0; i < 20; i++) Buffer.alloc(16 * 1024 * 1024);
  globalThis.gc?.();
  console.log(JSON.stringify({ state: "locked" }));
  setInterval(() => {}, 1000);
} catch (error) {
  const code = error instanceof KvError ? error.code : "other";
  console.log(JSON.stringify({ state: code, message: error instanceof Error ? error.message : String(error) }));
}
