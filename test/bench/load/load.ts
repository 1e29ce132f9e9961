/** The load of a measurement: a process of its own, told what to ask. */
import { fork } from "node:child_process";
import { once } from "node:events";
import { fileURLToPath } from "node:url";
import type { Target } from "./wire.ts";

export type { Target } from "./wire.ts";

/**
 * Requests, one at a time on each connection. In `path` and `body` stand for what changes: `{number}` of the
 * operation, counted from `from`; `{connection}`; `{version}`, the resourceVersion that this path's object has;
 * `{now}`, the monotonic clock in microseconds.
 */
export interface Requests {
  readonly kind: "requests";
  readonly target: Target;
  readonly http2: boolean;
  /** Of HTTP/2 there is one, with so many streams. */
  readonly connections: number;
  readonly method: string;
  readonly path: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string | undefined;
  /** What every answer must be. */
  readonly status: number;
  /** Whether another one, or none, ends the measurement. Else it is counted. */
  readonly strict: boolean;
  /** Whether an operation goes on with `continue` until the list is whole. */
  readonly pages: boolean;
  readonly from: number;
  /** Paced, if said. */
  readonly perSecond: number | undefined;
  /** No operation begins later; those that have begun are waited for. */
  readonly until: { readonly operations: number } | { readonly seconds: number };
}

/** Watches that are opened and read until the end; each answers what was written with marks. */
export interface Watches {
  readonly kind: "watches";
  readonly target: Target;
  readonly path: string;
  readonly watchers: number;
}

/** What came of requests. */
export interface Requested {
  readonly operations: number;
  /** Those of them that were not answered as they should. */
  readonly failed: number;
  /** How the last answer's body begins. */
  readonly start: string;
  readonly bytes: number;
  readonly seconds: number;
  readonly p50Ms: number;
  readonly p99Ms: number;
}

/** What was read since the last look: from the write's sending to the event's arrival. */
export interface Watched {
  readonly events: number;
  /** Watches that the server has not ended, of all that were opened. */
  readonly open: number;
  readonly p50Ms: number;
  readonly p99Ms: number;
}

/** As sent to the process. */
export interface Order {
  readonly id: number;
  readonly what: Requests | Watches | { readonly kind: "seen" | "delays" | "end" };
}

/** As it answers. */
export interface Report {
  readonly id: number;
  readonly result: Requested | Watched | { readonly error: string };
}

/** A process that asks. */
export interface Load {
  /** @throws Error if an answer isn't what it must be. */
  request(requests: AskedFor): Promise<Requested>;
  /** Opens what is missing of them: a server may end those that it can't serve fast enough. Resolves once all are open. */
  watch(watches: Omit<Watches, "kind">): Promise<void>;
  /** How many events were read since they were taken. */
  seen(): Promise<number>;
  /** What was read since the last time. */
  takeDelays(): Promise<Watched>;
  /** Closes its connections; it can be used again. */
  end(): Promise<void>;
  stop(): Promise<void>;
}

/** Requests, with what is usual left out: gets over 64 connections of HTTP/1.1. */
export type AskedFor = Pick<Requests, "target" | "path" | "until"> & Partial<Requests>;

/** Connections of every measurement that doesn't say otherwise. */
export const usualConnections = 64;

/** Starts the process. */
export function startLoad(): Load {
  const child = fork(fileURLToPath(new URL("./generator.ts", import.meta.url)));
  const waiting = new Map<number, PromiseWithResolvers<Report["result"]>>();
  let next = 0;
  child.on("message", ({ id, result }: Report) => {
    waiting.get(id)?.resolve(result);
    waiting.delete(id);
  });
  child.once("close", (code) => {
    for (const { reject } of waiting.values()) reject(new Error(`the load ended with ${code}`));
  });
  const tell = async (what: Order["what"]) => {
    const id = next++;
    const answer = Promise.withResolvers<Report["result"]>();
    waiting.set(id, answer);
    child.send({ id, what } satisfies Order);
    const result = await answer.promise;
    if ("error" in result) throw new Error(result.error);
    return result;
  };
  return {
    async request(requests) {
      const usual = {
        http2: false,
        connections: usualConnections,
        method: "GET",
        headers: {},
        status: 200,
        strict: true,
      };
      const whole = { body: undefined, pages: false, from: 0, perSecond: undefined, kind: "requests" as const };
      return (await tell({ ...usual, ...whole, ...requests })) as Requested;
    },
    async watch(watches) {
      await tell({ kind: "watches", ...watches });
    },
    seen: async () => ((await tell({ kind: "seen" })) as Watched).events,
    takeDelays: async () => (await tell({ kind: "delays" })) as Watched,
    async end() {
      await tell({ kind: "end" });
    },
    async stop() {
      const ended = once(child, "close");
      child.kill();
      await ended;
    },
  };
}
