/**
 * One endpoint of a store: its connection, its breaker, and what it says of itself.
 *
 *   connecting ── its description is taken ──► ready ── its connection breaks ──► away
 *        ▲                                                                       │
 *        └──────────────── after a pause it describes itself again ◄─────────────┘
 *
 * It is asked for its description until it answers, and then followed: by its stream of descriptions, or
 * by polling where it has none.
 */
import { type Client, Code, ConnectError, createClient, type Transport } from "@connectrpc/connect";
import { CatalogService, type DescribeResponse } from "../../gen/annex/store/v1/catalog_pb.js";
import { pause } from "../apimachinery/pause.ts";
import { createBreaker } from "./breaker.ts";
import { type ObserveCall, observedTransport } from "./observed-transport.ts";
import { createRenewedConnection } from "./renewed-connection.ts";
import type { StoreConnection } from "./transport.ts";

/** What a store is told that the gateway doesn't serve. */
export interface Refusal {
  readonly group: string;
  readonly plural: string;
  readonly reason: string;
}

/** An endpoint until it is closed. */
export interface Endpoint {
  /** As the log names it. */
  readonly address: string;
  readonly transport: Transport;
  readonly state: "connecting" | "ready" | "away";
  /** What it told last, with its epoch; undefined: nothing yet. */
  readonly description: DescribeResponse | undefined;
  /** Why it isn't ready; `""` if it is. */
  readonly message: string;
  /** Whether calls are refused because it doesn't answer. */
  isRefusing(): boolean;
  /** Whether it may be away. */
  readonly isDoubtful: boolean;
  /** Calls and streams that are under way, its own among them. */
  readonly inFlight: number;
  sessions(): number;
  /** Tells it what is refused of its description. Never rejects. */
  tell(): Promise<void>;
  /** Ends its watches, which begin anew somewhere; the rest of its calls goes on. */
  endWatches(): void;
  /** The same, and asks it nothing more. */
  leave(): void;
  /** Ends what is under way. */
  close(): void;
}

/** What an endpoint is made with. */
export interface EndpointOptions {
  /** The name of its store. */
  readonly store: string;
  readonly address: string;
  readonly open: () => StoreConnection;
  readonly gateway: { readonly name: string; readonly version: string };
  readonly observe: ObserveCall | undefined;
  readonly log: Log;
  /** Gives the highest revision of the store that clients can have seen; 0: none, or they are not to be compared. */
  readonly shown: () => bigint;
  /** Of its description; undefined: another one is in force. */
  readonly refused: () => readonly Refusal[] | undefined;
  /** Takes what it described anew. */
  readonly onDescription: () => Promise<void>;
  /** Is told when it becomes ready, goes away, is refused or answers again. */
  readonly onChange: () => void;
}

interface Log {
  info(fields: object, message: string): void;
  warn(fields: object, message: string): void;
}

/** Back-off while a store does not answer. */
const minBackoffMs = 50;
const maxBackoffMs = 2_000;
/** The poll of a store that doesn't tell by itself: a new kind is to be seen in seconds, and Status is cheap. */
const pollMs = 2_000;
const callTimeoutMs = 30_000;

/** Makes an endpoint, and begins to ask it. */
export function createEndpoint(options: EndpointOptions): Endpoint {
  const { store, address, observe, log, onChange } = options;
  const about = { store, endpoint: address };
  const connection = createRenewedConnection({ open: options.open });
  const transport = observe ? observedTransport(connection.transport, store, observe) : connection.transport;
  const catalog: Client<typeof CatalogService> = createClient(CatalogService, transport);
  const stop = new AbortController();
  const { signal } = stop;
  let state: Endpoint["state"] = "connecting";
  let message = "";
  let description: DescribeResponse | undefined;

  const breaker = createBreaker({
    transport,
    async probe(timeoutMs) {
      await catalog.describe({ gateway: gatewayInfo(), ifNotDigest: description?.digest ?? "" }, { timeoutMs });
    },
    onChange,
    log: {
      info: (text) => log.info(about, text),
      warn: (text) => log.warn(about, text),
    },
  });
  void keepDescribed();

  function gatewayInfo() {
    return { ...options.gateway, minors: [0], notBelow: options.shown() };
  }

  async function keepDescribed(): Promise<void> {
    let backoffMs = minBackoffMs;
    while (!signal.aborted) {
      const renewals = connection.renewals();
      try {
        await describe();
        backoffMs = minBackoffMs;
        await follow();
        if (connection.renewals() === renewals) throw new Error("the store ended the stream of its descriptions");
      } catch (error) {
        if (signal.aborted) return;
        state = "away";
        message = (error as Error).message;
        onChange();
        await pause(backoffMs, signal);
        backoffMs = Math.min(backoffMs * 2, maxBackoffMs);
      }
    }
  }

  async function describe(): Promise<void> {
    const request = { gateway: gatewayInfo(), ifNotDigest: description?.digest ?? "" };
    const answer = await catalog.describe(request, { signal, timeoutMs: callTimeoutMs });
    if (!answer.notModified) description = answer;
    await settle();
    const before = description;
    await askStatus();
    if (description !== before) await settle();
  }

  async function settle(): Promise<void> {
    if (state === "away") state = "connecting";
    await options.onDescription();
    if (signal.aborted || state === "ready") return;
    state = "ready";
    message = "";
    onChange();
  }

  /** Takes each new description until the endpoint goes away, or ends the stream. @throws Error when it goes. */
  async function follow(): Promise<void> {
    try {
      const stream = catalog.watchDescription({ gateway: gatewayInfo() }, { signal, timeoutMs: 0 });
      for await (const told of stream) {
        if (told.description === undefined) continue;
        const isNews = told.description.digest !== description?.digest;
        description = told.description;
        await settle();
        if (isNews) await askStatus();
      }
    } catch (error) {
      if (!isUnimplemented(error)) throw error;
      return await poll();
    }
  }

  async function poll(): Promise<void> {
    for (;;) {
      await pause(pollMs, signal);
      if (signal.aborted) return;
      const before = description;
      if ((await askStatus()) !== description?.digest) await describe();
      else if (description !== before) await settle();
    }
  }

  /** Tells what is refused. Gives the digest of its description now; undefined: it doesn't say. */
  async function askStatus(): Promise<string | undefined> {
    const refused = options.refused()?.map((refusal) => ({ ...refusal }));
    const request = refused === undefined ? {} : { applied: { digest: description?.digest ?? "", refused } };
    try {
      const { digest, epoch } = await catalog.status(request, { signal, timeoutMs: callTimeoutMs });
      if (description !== undefined && description.epoch !== epoch) description = { ...description, epoch };
      return digest;
    } catch (error) {
      if (!isUnimplemented(error)) throw error;
      return undefined;
    }
  }

  return {
    address,
    transport: breaker.transport,
    get state() {
      return state;
    },
    get description() {
      return description;
    },
    get message() {
      return breaker.isRefusing() ? "the store does not answer" : message;
    },
    isRefusing: () => breaker.isRefusing(),
    get isDoubtful() {
      return state === "away" || breaker.isDoubtful();
    },
    get inFlight() {
      return connection.inFlight;
    },
    sessions: () => connection.sessions(),
    async tell() {
      try {
        await askStatus();
      } catch (error) {
        if (!signal.aborted) log.warn({ ...about, err: error }, "the store can't be told what is refused");
      }
    },
    endWatches: () => connection.renew(),
    leave() {
      stop.abort();
      breaker.close();
      connection.renew();
    },
    close() {
      stop.abort();
      breaker.close();
      connection.close();
    },
  };
}

function isUnimplemented(error: unknown): boolean {
  return error instanceof ConnectError && error.code === Code.Unimplemented;
}
