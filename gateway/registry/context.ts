/** What travels with each call, as the contract's message. */
import type { MessageInitShape } from "@bufbuild/protobuf";
import type { RequestContextSchema } from "../../gen/annex/store/v1/object_pb.js";
import { isJsonObject, parseJson } from "../apimachinery/json.ts";
import { uidOf } from "../apimachinery/object.ts";
import type { ResourceDefinition } from "../apimachinery/resource.ts";
import type { CallObject, HostTickets } from "./host-tickets.ts";
import type { CallContext, ObjectKey } from "./store-call.ts";

/** Who asks, and for how long; 0, or nothing: without a deadline. */
export type Caller = Omit<CallContext, "timeoutMs" | "signal"> & { readonly timeoutMs?: number };

/** Gives the message of who asks. */
export function contextOf({ user, impersonator, requestId, clientVersion, userAgent, timeoutMs = 0 }: Caller) {
  return {
    requestId,
    ...(user === undefined ? {} : { user: userMessage(user) }),
    ...(impersonator === undefined ? {} : { impersonator: userMessage(impersonator) }),
    clientVersion,
    userAgent,
    timeoutMs,
  };
}

/** The message of one call, with the way back to the gateway if there is one. */
export type SaidContext = Exclude<MessageInitShape<typeof RequestContextSchema>, { $typeName: string }>;

/**
 * Opens the context of one call to one store; `end` takes its ticket back, and must be called.
 * `object` is what the call is about; undefined: a collection.
 */
export type ContextOpener = (
  caller: Caller,
  object?: () => CallObject,
) => { readonly context: SaidContext; end(): void };

/** Makes a store's opener. What the gateway asks for itself, without a user, has no ticket. */
export function contextOpener(store: string, tickets: HostTickets | undefined): ContextOpener {
  return (caller, object) => {
    const { user, requestId } = caller;
    const ticket = user && tickets?.issue({ store, user, requestId, object });
    const context = contextOf(caller);
    if (ticket === undefined) return { context, end: () => {} };
    return { context: { ...context, host: ticket.message }, end: () => ticket.end() };
  };
}

/** Gives what a call about one object is about. `uid` undefined: the call doesn't say. */
export function callObject(
  { kind }: ResourceDefinition,
  { clientVersion }: Pick<CallContext, "clientVersion">,
  { namespace, name }: ObjectKey,
  uid = "",
): CallObject {
  return { apiVersion: clientVersion, kind, namespace, name, uid };
}

/** Gives the uid in an object's JSON; `""`: there is none. */
export function uidIn(json: Uint8Array | undefined): string {
  if (json === undefined || json.length === 0) return "";
  const value = parseJson(json);
  return isJsonObject(value) ? uidOf(value) : "";
}

function userMessage({ name, uid, groups, extra }: NonNullable<Caller["user"]>) {
  const lists = Object.entries(extra).map(([key, values]): [string, { values: string[] }] => [
    key,
    { values: [...values] },
  ]);
  return { name, uid, groups: [...groups], extra: Object.fromEntries(lists) };
}
