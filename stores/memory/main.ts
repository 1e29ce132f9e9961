/** `annex store memory`: serves CustomResourceDefinitions from memory until it is stopped. */
import { readCrds, runStore } from "../sdk/sdk.ts";
import type { StoreFlags } from "../store.ts";
import { createMemoryStore, historyEvents, memoryCapabilities } from "./store.ts";

/** Runs until a signal. @returns the exit code. @throws CrdFileError. */
export async function runMemory(flags: StoreFlags): Promise<number> {
  const resources = readCrds(flags.crds, {
    capabilities: memoryCapabilities,
    resumeWindow: { minRevisions: BigInt(historyEvents), minAgeMs: 0n },
    maxObjectBytes: 3n * 1024n * 1024n,
  });
  // It keeps nothing, and a gateway that restarted with it has no notBelow to say: beginning at the
  // clock keeps it above what the process before has shown.
  const first = BigInt(Date.now()) * 1000n;
  return await runStore(createMemoryStore(resources, first), flags);
}
