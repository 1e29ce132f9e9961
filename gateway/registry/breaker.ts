/**
 * A circuit breaker around an endpoint's transport: who calls a store that doesn't answer is told so at once.
 *
 *   passing ── a call breaks off, or waits too long ──► suspected ── its probe is answered ──► passing
 *                                                           │
 *                                                     it isn't: every call that waits is refused
 *                                                           ▼
 *                               passing ◄── answered ── refusing, one probe after the other
 *
 * A store that is slow with one call still answers probes, so it is never refused for that. Streams are
 * refused like calls, but those that are open stay: a feed goes on when its store does.
 */
import { setTimeout as pause } from "node:timers/promises";
import { Code, ConnectError, type Transport } from "@connectrpc/connect";
import { NotSent } from "./unreceived.ts";

/** A transport that refuses while its store doesn't answer. */
export interface Breaker {
  readonly transport: Transport;
  isRefusing(): boolean;
  /** Whether it refuses, or may soon. */
  isDoubtful(): boolean;
  close(): void;
}

/** What it is made with. */
export interface BreakerOptions {
  readonly transport: Transport;
  /** Asks the store for something small. Rejects if it doesn't answer in time. */
  readonly probe: (timeoutMs: number) => Promise<void>;
  readonly log: { info(message: string): void; warn(message: string): void };
  /** Is told when it begins to refuse, and when it stops. */
  readonly onChange?: () => void;
  /** Default: half a second. */
  readonly tickMs?: number;
}

const defaultTickMs = 500;
/**
 * A store of which nothing was heard for so many ticks, while a call waits, is suspected, and after as many
 * more refused. Ticks of our own loop and not time: what waits while that is busy is no store's fault. A
 * store that stops for seconds to collect garbage is no dead one.
 */
const patience = 10;
/** A connection that is dead is found out by its pings before. */
const probeTimeoutMs = 30_000;
/** Ticks between two probes of a store that refuses connections. */
const pauseTicks = 1;

const refusal = "the store does not answer";

/** Errors that may mean that nobody is there; every other one was answered by somebody. */
const silences: ReadonlySet<Code> = new Set([Code.Unavailable, Code.DeadlineExceeded]);

/** Makes a breaker, which lets everything pass at first. */
export function createBreaker(options: BreakerOptions): Breaker {
  const { transport, probe, log, onChange, tickMs = defaultTickMs } = options;
  /** What refuses each call that waits. */
  const waiting = new Set<(error: ConnectError) => void>();
  let state: "passing" | "suspected" | "refusing" | "closed" = "passing";
  let silentTicks = 0;
  let isProbing = false;

  const ticking = setInterval(tick, tickMs);
  ticking.unref();

  function tick(): void {
    if (state === "refusing") return;
    silentTicks = waiting.size === 0 && state === "passing" ? 0 : silentTicks + 1;
    if (silentTicks >= 2 * patience) refuseAll();
    else if (silentTicks >= patience) suspect();
  }

  function hear(): void {
    silentTicks = 0;
    const wasRefusing = state === "refusing";
    if (state !== "closed") state = "passing";
    if (!wasRefusing) return;
    log.info("the store answers again");
    onChange?.();
  }

  function suspect(): void {
    if (state !== "passing") return;
    state = "suspected";
    silentTicks = patience;
    if (!isProbing) void find();
  }

  /** Probes until the store is heard of. */
  async function find(): Promise<void> {
    isProbing = true;
    while (state === "suspected" || state === "refusing") {
      try {
        await probe(probeTimeoutMs);
        hear();
      } catch (error) {
        if (!isSilence(error)) hear();
        else if (state === "suspected") refuseAll();
        else await pause(pauseTicks * tickMs, undefined, { ref: false });
      }
    }
    isProbing = false;
  }

  function refuseAll(): void {
    state = "refusing";
    log.warn("the store does not answer: calls are refused until it does");
    for (const refuse of waiting) refuse(new ConnectError(refusal, Code.Unavailable));
    waiting.clear();
    onChange?.();
  }

  function called<T>(begin: () => Promise<T>): Promise<T> {
    return new Promise((resolve, reject) => {
      waiting.add(reject);
      begin().then(
        (answer) => {
          waiting.delete(reject);
          hear();
          resolve(answer);
        },
        (error: unknown) => {
          waiting.delete(reject);
          if (isSilence(error)) suspect();
          else hear();
          reject(error);
        },
      );
    });
  }

  return {
    transport: {
      unary(...call) {
        if (state === "refusing") return Promise.reject(new NotSent(refusal));
        return called(() => transport.unary(...call));
      },
      async stream(...call) {
        if (state === "refusing") throw new NotSent(refusal);
        try {
          return await transport.stream(...call);
        } catch (error) {
          if (isSilence(error)) suspect();
          throw error;
        }
      },
    },
    isRefusing: () => state === "refusing",
    isDoubtful: () => state === "refusing" || state === "suspected",
    close() {
      state = "closed";
      clearInterval(ticking);
    },
  };
}

function isSilence(error: unknown): boolean {
  return silences.has(ConnectError.from(error).code);
}
