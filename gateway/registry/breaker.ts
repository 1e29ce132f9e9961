/**
 * A circuit breaker around a store's transport: who calls a store that doesn't answer is told so at once.
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
import { Code, ConnectError, type Transport } from "@connectrpc/connect";

/** A transport that refuses while its store doesn't answer. */
export interface Breaker {
  readonly transport: Transport;
  isRefusing(): boolean;
  close(): void;
}

/** What it is made with. Times in ms. */
export interface BreakerOptions {
  readonly transport: Transport;
  /** Asks the store for something small. Rejects if it doesn't answer in time. */
  readonly probe: (timeoutMs: number) => Promise<void>;
  readonly log: { info(message: string): void; warn(message: string): void };
  readonly times?: Partial<BreakerTimes>;
}

/** Its patience. */
export interface BreakerTimes {
  /** A store of which nothing was heard for this long, while a call waits, is suspected. */
  readonly patienceMs: number;
  /** A probe may take this long: a store that stops to collect garbage is no dead one. */
  readonly probeMs: number;
  /** Between two probes of a dead store: the first time, and at most. */
  readonly minPauseMs: number;
  readonly maxPauseMs: number;
}

const defaultTimes: BreakerTimes = { patienceMs: 5_000, probeMs: 5_000, minPauseMs: 50, maxPauseMs: 500 };

/** Errors that may mean that nobody is there; every other one was answered by somebody. */
const silences: ReadonlySet<Code> = new Set([Code.Unavailable, Code.DeadlineExceeded]);

interface Waiting {
  readonly since: number;
  refuse(error: ConnectError): void;
}

/** Makes a breaker, which lets everything pass at first. */
export function createBreaker({ transport, probe, log, times = {} }: BreakerOptions): Breaker {
  const { patienceMs, probeMs, minPauseMs, maxPauseMs } = { ...defaultTimes, ...times };
  /** Oldest first. */
  const waiting = new Set<Waiting>();
  let heardAt = performance.now();
  let state: "passing" | "suspected" | "refusing" | "closed" = "passing";
  let pausing: NodeJS.Timeout | undefined;

  const watch = setInterval(() => {
    const [oldest] = waiting;
    if (oldest !== undefined && performance.now() - Math.max(oldest.since, heardAt) >= patienceMs) suspect();
  }, patienceMs / 10);
  watch.unref();

  function suspect(): void {
    if (state !== "passing") return;
    state = "suspected";
    void find(minPauseMs);
  }

  /** Probes until the store answers. */
  async function find(pauseMs: number): Promise<void> {
    try {
      await probe(probeMs);
    } catch (error) {
      if (isClosed()) return;
      if (isSilence(error)) {
        if (state === "suspected") refuseAll();
        pausing = setTimeout(() => void find(Math.min(pauseMs * 2, maxPauseMs)), pauseMs);
        return;
      }
    }
    if (isClosed()) return;
    if (state === "refusing") log.info("the store answers again");
    heardAt = performance.now();
    state = "passing";
  }

  function refuseAll(): void {
    state = "refusing";
    log.warn("the store does not answer: calls are refused until it does");
    for (const one of waiting) one.refuse(refusal());
    waiting.clear();
  }

  const isClosed = () => state === "closed";

  function called<T>(begin: () => Promise<T>): Promise<T> {
    return new Promise((resolve, reject) => {
      const mine: Waiting = { since: performance.now(), refuse: reject };
      waiting.add(mine);
      begin().then(
        (answer) => {
          waiting.delete(mine);
          heardAt = performance.now();
          resolve(answer);
        },
        (error: unknown) => {
          waiting.delete(mine);
          if (isSilence(error)) suspect();
          reject(error);
        },
      );
    });
  }

  return {
    transport: {
      unary(...call) {
        if (state === "refusing") return Promise.reject(refusal());
        return called(() => transport.unary(...call));
      },
      stream(...call) {
        if (state === "refusing") return Promise.reject(refusal());
        return transport.stream(...call);
      },
    },
    isRefusing: () => state === "refusing",
    close() {
      state = "closed";
      clearInterval(watch);
      clearTimeout(pausing);
    },
  };
}

function isSilence(error: unknown): boolean {
  return silences.has(ConnectError.from(error).code);
}

function refusal(): ConnectError {
  return new ConnectError("the store does not answer", Code.Unavailable);
}
