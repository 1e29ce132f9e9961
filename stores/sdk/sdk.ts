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
export { parseAddress } from "./address.ts";
export { type CrdFault, CrdFileError, readCrds } from "./crds.ts";
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
export { runStore, type ServedStore, type ServeOptions, serveStore } from "./serve.ts";
export type * from "./store.ts";
export { pacedProgress, waitFor } from "./watching.ts";
