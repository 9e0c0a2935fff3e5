/** `npm run complete-lock`: see completeLockFile. Needed after a dependency changed, where tidy says so. */
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { completeLockFile } from "./tidy/lock-file.ts";

const path = join(import.meta.dirname, "../package-lock.json");
writeFileSync(path, completeLockFile(readFileSync(path, "utf8")));
