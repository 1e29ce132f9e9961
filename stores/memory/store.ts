/**
 * The contract in its shortest form: the SDK's kept objects, with nowhere to keep them.
 *
 * Revisions in one scope; compare-and-swap; watches that resume, and earlier states that can be read,
 * within the ring of recent events. Keeps nothing across a restart: its epoch is new each time, and so
 * it begins above `notBelow`.
 */
import {
  type Call,
  createHistory,
  createKeptObjects,
  historyEvents,
  idOf,
  type KeptObjects,
  keptCapabilities,
  type ResourceDescription,
  routed,
  type Store,
} from "../sdk/sdk.ts";

export { historyEvents };
/** What it declares for every resource. */
export const memoryCapabilities = keptCapabilities;

/**
 * Makes a store that serves the given resources from memory. Its first write has `firstRevision` + 1;
 * it keeps `kept` events.
 */
export function createMemoryStore(
  resources: readonly ResourceDescription[],
  firstRevision = 1n,
  kept = historyEvents,
): Store {
  const history = createHistory(firstRevision, kept);
  const tables = new Map<string, KeptObjects>();

  function tableOf({ resource }: Call): KeptObjects {
    const table = tables.get(idOf(resource)) ?? createKeptObjects(resource, history, undefined, () => {});
    tables.set(idOf(resource), table);
    return table;
  }

  return { implementation: "annex-memory", version: "1", resources, ...routed(history, tableOf) };
}
