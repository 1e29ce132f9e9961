/**
 * A connection that is replaced when it is old, so that load spreads over what stands behind an address.
 *
 *   fresh ── old enough, or told to ──► leaving: no new calls, watches end, the rest finishes ──► closed
 *
 * Whoever watches begins anew where he was, on the successor. A connection opens with its first call.
 */
import { ConnectError, type Transport } from "@connectrpc/connect";
import type { StoreConnection } from "./transport.ts";

/** A connection with successors. */
export interface RenewedConnection extends StoreConnection {
  sessions(): number;
  /** Calls and streams that are under way. */
  readonly inFlight: number;
  /** How often it was replaced. */
  renewals(): number;
  /** Replaces the present one now. */
  renew(): void;
}

/** What it is made with. */
export interface RenewedConnectionOptions {
  readonly open: () => StoreConnection;
  /** Between 0 and 1. Default: Math.random. */
  readonly random?: (() => number) | undefined;
}

/** Long enough that a new connection costs nothing, short enough that a new endpoint has its share soon. */
const maxAgeMs = 10 * 60_000;
/** Part of the age by which connections differ, so that they are not all renewed at once. */
const jitter = 0.2;

/** Streams that whoever reads them begins anew when they end. */
const resumed = new Set(["Watch", "WatchDescription"]);

interface Generation {
  readonly connection: StoreConnection;
  /** Aborted when it begins to leave. */
  readonly leaving: AbortController;
  readonly timer: NodeJS.Timeout;
  /** Calls and streams that are under way. */
  inFlight: number;
}

/** Makes a connection. */
export function createRenewedConnection({ open, random = Math.random }: RenewedConnectionOptions): RenewedConnection {
  const all = new Set<Generation>();
  let current: Generation | undefined;
  let inFlight = 0;
  let renewals = 0;
  let isClosed = false;

  function generation(): Generation {
    if (current === undefined) {
      const timer = setTimeout(renew, maxAgeMs * (1 - jitter * random()));
      timer.unref();
      current = { connection: open(), leaving: new AbortController(), timer, inFlight: 0 };
      all.add(current);
      if (isClosed) end(current);
    }
    return current;
  }

  function renew(): void {
    const old = current;
    if (old === undefined) return;
    current = undefined;
    renewals++;
    clearTimeout(old.timer);
    old.leaving.abort();
    if (old.inFlight === 0) end(old);
  }

  function end(one: Generation): void {
    all.delete(one);
    clearTimeout(one.timer);
    one.connection.close();
  }

  function take(): Generation {
    const one = generation();
    one.inFlight++;
    inFlight++;
    return one;
  }

  function release(one: Generation): void {
    one.inFlight--;
    inFlight--;
    if (one.inFlight === 0 && one.leaving.signal.aborted && all.has(one)) end(one);
  }

  const transport: Transport = {
    async unary(...call) {
      const one = take();
      try {
        return await one.connection.transport.unary(...call);
      } finally {
        release(one);
      }
    },
    async stream(method, signal, ...call) {
      const one = take();
      const leaving = resumed.has(method.name) ? one.leaving.signal : undefined;
      const ends = leaving === undefined || signal === undefined ? signal : AbortSignal.any([signal, leaving]);
      const over = once(() => release(one));
      // Whoever leaves early has cancelled, and reads no end.
      signal?.addEventListener("abort", over, { once: true });
      const isOver = () => {
        signal?.removeEventListener("abort", over);
        over();
      };
      try {
        const answer = await one.connection.transport.stream(method, ends, ...call);
        return { ...answer, message: untilItLeaves(answer.message, leaving, isOver) };
      } catch (error) {
        isOver();
        throw error;
      }
    },
  };

  return {
    transport,
    sessions: () => [...all].reduce((sum, { connection }) => sum + (connection.sessions?.() ?? 0), 0),
    get inFlight() {
      return inFlight;
    },
    renewals: () => renewals,
    renew,
    close() {
      isClosed = true;
      for (const one of all) end(one);
    },
  };
}

/** The messages until their connection is to leave, which is no error. */
async function* untilItLeaves<T>(
  messages: AsyncIterable<T>,
  leaving: AbortSignal | undefined,
  isOver: () => void,
): AsyncIterable<T> {
  try {
    yield* messages;
  } catch (error) {
    if (leaving?.aborted !== true) throw ConnectError.from(error);
  } finally {
    isOver();
  }
}

function once(work: () => void): () => void {
  let isDone = false;
  return () => {
    if (isDone) return;
    isDone = true;
    work();
  };
}
