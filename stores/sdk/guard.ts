/** Around every call of a store's function: what isn't an RPC's error is a bug, logged with all there is. */
import { Code, ConnectError } from "@connectrpc/connect";
import { withBoundedCurrent } from "./errors.ts";
import type { ServingState } from "./serving-state.ts";

/** Runs a store's functions. `keepCurrent`: whether a conflict may carry the present object. */
export interface Guard {
  /** @throws ConnectError */
  guarded<T>(name: string, protocol: string, keepCurrent: boolean, work: () => Promise<T>): Promise<T>;
  /** @throws ConnectError */
  guardedStream<T>(name: string, protocol: string, stream: AsyncIterable<T>): AsyncIterable<T>;
}

/** Makes the guard of one served store. */
export function createGuard(state: ServingState): Guard {
  function failure(name: string, error: unknown, protocol: string, keepCurrent: boolean): ConnectError {
    if (error instanceof ConnectError) return withBoundedCurrent(error, protocol, keepCurrent);
    state.log({ call: name, err: error instanceof Error ? (error.stack ?? error.message) : String(error) }, "a bug");
    return new ConnectError("the store failed", Code.Internal, undefined, undefined, error);
  }

  return {
    async guarded(name, protocol, keepCurrent, work) {
      try {
        return await work();
      } catch (error) {
        throw failure(name, error, protocol, keepCurrent);
      }
    },
    async *guardedStream(name, protocol, stream) {
      try {
        yield* stream;
      } catch (error) {
        throw failure(name, error, protocol, false);
      }
    },
  };
}
