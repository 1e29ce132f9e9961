/**
 * A transport over the endpoints of one store: each call goes to the one with the least to do.
 *
 * What was certainly not received goes to the next endpoint at once, whatever it is. What was lost goes
 * there only if a second time does no harm. No endpoint is tried twice for one call. A list or a watch
 * counts as answered with its first message; where it breaks off later its caller goes on.
 */
import { ConnectError, type StreamResponse, type Transport } from "@connectrpc/connect";
import { isLost, isUnreceived, NotSent, repeatable } from "./unreceived.ts";

/** One endpoint as calls see it. */
export interface Candidate {
  readonly transport: Transport;
  /** Whether it is tried only after the others: it may be away. */
  readonly isDoubtful: boolean;
}

/** Makes the transport. `candidates` gives those that may be called now. */
export function createBalancedTransport(candidates: () => readonly Candidate[]): Transport {
  /** Unary calls that are under way. */
  const inFlight = new WeakMap<Candidate, number>();
  let turn = 0;

  /** Gives the one with the least to do; of equals the next in turn. */
  function pick(tried: ReadonlySet<Candidate>): Candidate | undefined {
    const all = candidates();
    turn = (turn + 1) % Math.max(1, all.length);
    let best: Candidate | undefined;
    for (let index = 0; index < all.length; index++) {
      const one = all[(turn + index) % all.length] as Candidate;
      if (!tried.has(one) && (best === undefined || isBetter(one, best))) best = one;
    }
    return best;
  }

  function isBetter(one: Candidate, other: Candidate): boolean {
    if (one.isDoubtful !== other.isDoubtful) return other.isDoubtful;
    return (inFlight.get(one) ?? 0) < (inFlight.get(other) ?? 0);
  }

  async function attempt<T>(mayRepeat: boolean, call: (one: Candidate) => Promise<T>): Promise<T> {
    const tried = new Set<Candidate>();
    let failure: unknown = new NotSent("no endpoint of the store answers");
    for (let one = pick(tried); one !== undefined; one = pick(tried)) {
      tried.add(one);
      try {
        return await call(one);
      } catch (error) {
        if (!isUnreceived(error) && !(mayRepeat && isLost(error))) throw error;
        failure = error;
      }
    }
    throw failure;
  }

  return {
    async unary(method, signal, timeoutMs, header, input, contextValues) {
      const left = timeLeft(timeoutMs);
      return await attempt(contextValues?.get(repeatable) ?? false, async (one) => {
        throwIfAborted(signal);
        inFlight.set(one, (inFlight.get(one) ?? 0) + 1);
        try {
          return await one.transport.unary(method, signal, left(), header, input, contextValues);
        } finally {
          inFlight.set(one, (inFlight.get(one) ?? 1) - 1);
        }
      });
    },
    async stream(method, signal, timeoutMs, header, input, contextValues) {
      const mayRepeat = contextValues?.get(repeatable) ?? false;
      const left = timeLeft(timeoutMs);
      const sent = replayed(input);
      const answer = await attempt(mayRepeat, async (one) => {
        throwIfAborted(signal);
        const opened = await one.transport.stream(method, signal, left(), header, sent.from(), contextValues);
        return mayRepeat ? await begun(opened) : opened;
      });
      sent.settle();
      return answer;
    },
  };
}

/** Gives the function that says how much of a deadline is left. */
function timeLeft(timeoutMs: number | undefined): () => number | undefined {
  if (timeoutMs === undefined || timeoutMs <= 0) return () => timeoutMs;
  const endsAt = performance.now() + timeoutMs;
  return () => Math.max(1, Math.ceil(endsAt - performance.now()));
}

function throwIfAborted(signal: AbortSignal | undefined): void {
  if (signal?.aborted) throw ConnectError.from(signal.reason);
}

/** Waits for the first message. @throws what came instead. */
async function begun<I extends StreamResponse>(answer: I): Promise<I> {
  const messages = answer.message[Symbol.asyncIterator]();
  const first = await messages.next();
  async function* all() {
    if (first.done === true) return;
    yield first.value;
    yield* { [Symbol.asyncIterator]: () => messages };
  }
  return { ...answer, message: all() };
}

/** What is sent, for as many attempts as it takes. */
interface Replay<T> {
  /** From its start. */
  from(): AsyncIterable<T>;
  /** Keeps nothing more: there will be no other attempt. */
  settle(): void;
}

function replayed<T>(input: AsyncIterable<T>): Replay<T> {
  const source = input[Symbol.asyncIterator]();
  const taken: Promise<IteratorResult<T>>[] = [];
  let isSettled = false;
  function at(index: number): Promise<IteratorResult<T>> {
    const next = taken[index] ?? source.next();
    if (!isSettled) taken[index] = next;
    return next;
  }
  return {
    async *from() {
      for (let index = 0; ; index++) {
        const next = await at(index);
        if (next.done === true) return;
        yield next.value;
      }
    },
    settle() {
      isSettled = true;
    },
  };
}
