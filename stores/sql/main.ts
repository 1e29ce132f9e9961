/** `annex store sql`: serves CustomResourceDefinitions from SQLite until it is stopped. */
import { Capability } from "../../gen/annex/store/v1/catalog_pb.js";
import { readCrds, runStore } from "../sdk/sdk.ts";
import type { StoreFlags } from "../store.ts";
import { openSqlStore, window } from "./store.ts";

/** Runs until a signal. @returns the exit code. @throws CrdFileError; Error if the folder can't be used. */
export async function runSql(flags: StoreFlags): Promise<number> {
  const resources = readCrds(flags.crds, {
    capabilities: [
      Capability.RESUME,
      Capability.PROGRESS,
      Capability.PREVIOUS_OBJECT,
      Capability.EXACT_READ,
      Capability.SNAPSHOT_LIST,
    ],
    resumeWindow: { minRevisions: window.minRevisions, minAgeMs: BigInt(window.minAgeMs) },
    maxObjectBytes: 3n * 1024n * 1024n,
  });
  return await runStore(await openSqlStore(flags.data, resources), flags);
}
