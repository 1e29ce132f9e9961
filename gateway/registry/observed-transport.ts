/**
 * A transport that tells what became of each call: its method, its code and how long it took.
 *
 * A stream is told when it ends, and one that lasts without its time.
 */
import { Code, ConnectError, type Transport } from "@connectrpc/connect";
import { isConnectionError } from "./errors.ts";

/** One call that has ended. */
export interface StoreCallOutcome {
  readonly store: string;
  /** The contract's word: `Get`, `Watch`. */
  readonly method: string;
  /** gRPC's word: `OK`, `NotFound`; `Unavailable` also for a store that can't be reached. */
  readonly code: string;
  /** Undefined for a stream that lasts. */
  readonly seconds: number | undefined;
}

/** Is told of each call to a store. */
export type ObserveCall = (outcome: StoreCallOutcome) => void;

/** Streams that end when their caller wants. */
const lasting = new Set(["Watch", "WatchDescription", "Stream"]);

/** Gives the same transport, observed. */
export function observedTransport(transport: Transport, store: string, observe: ObserveCall): Transport {
  const begin = (method: string) => {
    const began = performance.now();
    const seconds = () => (lasting.has(method) ? undefined : (performance.now() - began) / 1000);
    return (code: string) => observe({ store, method, code, seconds: seconds() });
  };
  return {
    async unary(method, ...call) {
      const end = begin(method.name);
      try {
        const answer = await transport.unary(method, ...call);
        end("OK");
        return answer;
      } catch (error) {
        end(codeOf(error));
        throw error;
      }
    },
    async stream(method, ...call) {
      const end = begin(method.name);
      try {
        const answer = await transport.stream(method, ...call);
        return { ...answer, message: toItsEnd(answer.message, end) };
      } catch (error) {
        end(codeOf(error));
        throw error;
      }
    },
  };
}

async function* toItsEnd<T>(messages: AsyncIterable<T>, end: (code: string) => void): AsyncIterable<T> {
  // Whoever leaves early, as Connect's own clients don't, has cancelled.
  let code = Code[Code.Canceled];
  try {
    yield* messages;
    code = "OK";
  } catch (error) {
    code = codeOf(error);
    throw error;
  } finally {
    end(code);
  }
}

function codeOf(error: unknown): string {
  const failed = ConnectError.from(error);
  return Code[isConnectionError(failed) ? Code.Unavailable : failed.code];
}
