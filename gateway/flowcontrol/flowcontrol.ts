/**
 * A seat for each request in flight, so many for reads and so many for writes; no queue.
 *
 * Long-running requests take no seat: they would keep it for hours. Members of system:masters take one
 * while there are any, and get through without one when there are none. Probes take none either: who is killed
 * for being busy leaves the others busier.
 *
 * A store may hold three times as many as are free: one that answers nothing holds three quarters of all for as long as
 * requests last, two hold three sevenths each, and what else there is goes on. kube-apiserver has no stores to tell apart.
 * Source: apiserver pkg/server/filters/maxinflight.go; pkg/apis/flowcontrol/bootstrap (probes).
 */
import type { HttpAnswer } from "../apimachinery/http.ts";
import { systemMasters } from "../apimachinery/user.ts";

/** Limits of requests in flight. */
export interface FlowLimits {
  readonly maxReadOnly: number;
  readonly maxMutating: number;
}

/** One request that wants a seat. */
export interface SeatRequest {
  readonly verb: string;
  readonly path: string;
  readonly groups: readonly string[];
  readonly isLongRunning: boolean;
  /** Which store it may have to wait for; undefined: none. */
  readonly store?: string | undefined;
}

/** Hands out seats. */
export interface FlowControl {
  /** Gives the function that frees the seat (once, however often it is called); undefined: all are taken. */
  enter(request: SeatRequest): (() => void) | undefined;
}

/** Seats that a store may hold for each that is free. */
const shareOfFree = 3;

const readOnlyVerbs = new Set(["get", "list", "watch"]);
const probes = new Set(["/healthz", "/livez", "/readyz"]);
/** Seconds after which a client that found no seat should come back: kube-apiserver's guess. */
const retryAfterSeconds = 1;

/** Is told how many seats of a kind are taken, whenever that changes. */
export type ObserveSeats = (kind: "readOnly" | "mutating", taken: number) => void;

/** Makes the seats. */
export function createFlowControl(limits: FlowLimits, observe: ObserveSeats = () => {}): FlowControl {
  const seats = {
    readOnly: { name: "readOnly" as const, taken: 0, limit: limits.maxReadOnly, ofStores: new Map<string, number>() },
    mutating: { name: "mutating" as const, taken: 0, limit: limits.maxMutating, ofStores: new Map<string, number>() },
  };
  return {
    enter({ verb, path, groups, isLongRunning, store }) {
      if (isLongRunning || (verb === "get" && probes.has(path))) return () => {};
      const kind = readOnlyVerbs.has(verb) ? seats.readOnly : seats.mutating;
      const free = kind.limit - kind.taken;
      const ofStore = store === undefined ? 0 : (kind.ofStores.get(store) ?? 0);
      if (ofStore >= shareOfFree * free) return groups.includes(systemMasters) ? () => {} : undefined;
      observe(kind.name, ++kind.taken);
      if (store !== undefined) kind.ofStores.set(store, ofStore + 1);
      let isFreed = false;
      return () => {
        if (isFreed) return;
        isFreed = true;
        observe(kind.name, --kind.taken);
        if (store !== undefined) leaveStore(kind.ofStores, store);
      };
    },
  };
}

function leaveStore(ofStores: Map<string, number>, store: string): void {
  const left = (ofStores.get(store) ?? 1) - 1;
  if (left > 0) ofStores.set(store, left);
  else ofStores.delete(store);
}

/** Gives the answer to a request that found no seat. */
export function tooManyAnswer(): HttpAnswer {
  return {
    status: 429,
    headers: {
      "Content-Type": "text/plain; charset=utf-8",
      "X-Content-Type-Options": "nosniff",
      "Retry-After": String(retryAfterSeconds),
    },
    body: Buffer.from("Too many requests, please try again later.\n"),
  };
}
