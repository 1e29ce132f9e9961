/** `annex store memory`: serves CustomResourceDefinitions from memory until it is stopped. */
import { Capability } from "../../gen/annex/store/v1/catalog_pb.js";
import { readCrds, runStore } from "../sdk/sdk.ts";
import type { StoreFlags } from "../store.ts";
import { createMemoryStore, historyEvents } from "./store.ts";

/** Runs until a signal. @returns the exit code. @throws CrdFileError. */
export async function runMemory(flags: StoreFlags): Promise<number> {
  const resources = readCrds(flags.crds, {
    capabilities: [Capability.RESUME, Capability.PROGRESS, Capability.PREVIOUS_OBJECT],
    resumeWindow: { minRevisions: BigInt(historyEvents), minAgeMs: 0n },
    maxObjectBytes: 3n * 1024n * 1024n,
  });
  // No memory of its own: the clock keeps a restarted store above what the one before has shown.
  const first = BigInt(Date.now()) * 1000n;
  return await runStore(createMemoryStore(resources, first), flags);
}
