/**
 * Writing a store in TypeScript: plain async functions and a definition in; a served, health-checked,
 * reflecting, drained process out.
 *
 *   const notes = keptKind({ group: "notes.example.com", kind: "Note", ... }, { load, save });
 *   const store = defineStore({ name: "notes", version: "1", kinds: [notes] });
 *   process.exitCode = await runStore(store);
 *
 * Two ways in. keptKind() and imperativeKind() are for whoever has a few functions: revisions, events,
 * resume, expiry, pages and compare-and-swap are the SDK's. A backend with an order of its own
 * implements Store itself, and createHistory() if it has none. Either way the SDK speaks the contract
 * (gRPC, Connect and sessions on one port), health checking and reflection, keeps deadlines and
 * cancellation as an AbortSignal, and drains on a signal.
 */
export { parseAddress } from "./address.ts";
export { type ListenOptions, listenFlags, listenOptions, listenUsage } from "./command-line.ts";
export { type CrdFault, CrdFileError, readCrds } from "./crds.ts";
export { defineStore, logLine, routed, type StoreDefinition } from "./define.ts";
export {
  alreadyExists,
  badRequest,
  type Cause,
  conflict,
  exhausted,
  expired,
  forbidden,
  invalid,
  notFound,
  unavailable,
} from "./errors.ts";
export { type Change, createHistory, type History, historyEvents, idOf } from "./history.ts";
export { type CallRecord, createHost, type Host, type Question } from "./host.ts";
export { createKeptObjects, type Keeping, type KeptObjects } from "./kept.ts";
export { compareKeys } from "./key-order.ts";
export {
  type Backend,
  type Creation,
  type ImperativeOptions,
  imperativeKind,
  type Kind,
  type KindDefinition,
  type KindHandlers,
  type KindSurroundings,
  keptCapabilities,
  keptKind,
  type Saving,
} from "./kinds.ts";
export type { Admission, KeptRules } from "./rules.ts";
export type { FromSchema, KubeObject, ObjectOf, Schema } from "./schema-type.ts";
export { runStore, type ServedStore, type ServeOptions, serveStore } from "./serve.ts";
export type * from "./store.ts";
export { pacedProgress, waitFor } from "./watching.ts";
