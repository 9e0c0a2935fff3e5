/** Loaded into a node's process before everything else (`--import`): plants the mistakes that the environment names (rule D12). */
import { plantMutant } from "../../../src/base/mutants.ts";

for (const id of (process.env["KV_CHAOS_MUTANTS"] ?? "").split(",").filter(Boolean)) plantMutant(id);
