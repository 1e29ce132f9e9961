/**
 * Writing a store in TypeScript: plain async functions in, a served, drained, health-checked
 * process out.
 *
 *   const store: Store = { ..., async get(call) {...}, async create(call) {...} };
 *   process.exitCode = await runStore(store, { log: console.error });
 *
 * The SDK speaks the contract (gRPC and Connect on one port), health checking and reflection, keeps
 * deadlines and cancellation as an AbortSignal, and drains on a signal.
 */
export { type CrdFault, CrdFileError, readCrds } from "./crds.ts";
export * from "./errors.ts";
export { runStore, type ServedStore, type ServeOptions, serveStore } from "./serve.ts";
export type * from "./store.ts";
