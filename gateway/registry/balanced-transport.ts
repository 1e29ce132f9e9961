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
  /** Calls and streams that are under way. */
  readonly inFlight: number;
}

/** Makes the transport. `candidates` gives those that may be called now. */
export function createBalancedTransport(candidates: () => readonly Candidate[]): Transport {
  let turn = 0;

  /** Gives the one with the least to do; of equals the next in turn. */
  function pick(tried: readonly Candidate[]): Candidate | undefined {
    const all = candidates();
    turn++;
    let best: Candidate | undefined;
    for (let index = 0; index < all.length; index++) {
      const one = all[(turn + index) % all.length] as Candidate;
      if (!tried.includes(one) && (best === undefined || isBetter(one, best))) best = one;
    }
    return best;
  }

  /** Makes the call at one after the other, until it is answered or may not be made again. */
  async function attempt<T>(mayRepeat: boolean, call: (one: Candidate, isFirst: boolean) => Promise<T>): Promise<T> {
    const tried: Candidate[] = [];
    for (let failure: unknown; ; ) {
      const one = pick(tried);
      if (one === undefined) throw failure ?? new NotSent("no endpoint of the store answers");
      try {
        return await call(one, tried.length === 0);
      } catch (error) {
        if (!isUnreceived(error) && !(mayRepeat && isLost(error))) throw error;
        failure = error;
        tried.push(one);
      }
    }
  }

  return {
    unary(method, signal, timeoutMs, header, input, contextValues) {
      const began = performance.now();
      return attempt(contextValues?.get(repeatable) ?? false, ({ transport }, isFirst) => {
        const leftMs = isFirst ? timeoutMs : leftOf(timeoutMs, began, signal);
        return transport.unary(method, signal, leftMs, header, input, contextValues);
      });
    },
    async stream(method, signal, timeoutMs, header, input, contextValues) {
      const mayRepeat = contextValues?.get(repeatable) ?? false;
      const began = performance.now();
      const sent = replayed(input);
      const answer = await attempt(mayRepeat, async ({ transport }, isFirst) => {
        const leftMs = isFirst ? timeoutMs : leftOf(timeoutMs, began, signal);
        const opened = await transport.stream(method, signal, leftMs, header, sent.from(), contextValues);
        return mayRepeat ? await begun(opened) : opened;
      });
      sent.settle();
      return answer;
    },
  };
}

function isBetter(one: Candidate, other: Candidate): boolean {
  return one.isDoubtful === other.isDoubtful ? one.inFlight < other.inFlight : other.isDoubtful;
}

/** Gives how much of a deadline is left. @throws ConnectError if nobody waits any more. */
function leftOf(timeoutMs: number | undefined, began: number, signal: AbortSignal | undefined): number | undefined {
  if (signal?.aborted) throw ConnectError.from(signal.reason);
  if (timeoutMs === undefined || timeoutMs <= 0) return timeoutMs;
  return Math.max(1, Math.ceil(timeoutMs - (performance.now() - began)));
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
