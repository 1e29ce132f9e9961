/** `annex store sql`: serves CustomResourceDefinitions from SQLite until it is stopped. */
import { readCrds, runStore } from "../sdk/sdk.ts";
import type { StoreFlags } from "../store.ts";
import { openSqlStore, sqlCapabilities, window } from "./store.ts";

/** Runs until a signal. @returns the exit code. @throws CrdFileError; Error if the folder can't be used. */
export async function runSql(flags: StoreFlags): Promise<number> {
  const resources = readCrds(flags.crds, {
    capabilities: sqlCapabilities,
    resumeWindow: { minRevisions: window.minRevisions, minAgeMs: BigInt(window.minAgeMs) },
    maxObjectBytes: 3n * 1024n * 1024n,
  });
  return await runStore(await openSqlStore(flags.data, resources, flags), flags);
}
