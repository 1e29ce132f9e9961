/** What travels with each call, as the contract's message. */
import type { MessageInitShape } from "@bufbuild/protobuf";
import type { RequestContextSchema } from "../../gen/annex/store/v1/object_pb.js";
import type { HostTickets } from "./host-tickets.ts";
import type { CallContext } from "./store-call.ts";

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

/** Opens the context of one call to one store; `end` takes its ticket back, and must be called. */
export type ContextOpener = (caller: Caller) => { readonly context: SaidContext; end(): void };

/** Makes a store's opener. What the gateway asks for itself, without a user, has no ticket. */
export function contextOpener(store: string, tickets: HostTickets | undefined): ContextOpener {
  return (caller) => {
    const { user, requestId } = caller;
    const ticket = user && tickets?.issue({ store, user, requestId });
    const context = contextOf(caller);
    if (ticket === undefined) return { context, end: () => {} };
    return { context: { ...context, host: ticket.message }, end: () => ticket.end() };
  };
}

function userMessage({ name, uid, groups, extra }: NonNullable<Caller["user"]>) {
  const lists = Object.entries(extra).map(([key, values]): [string, { values: string[] }] => [
    key,
    { values: [...values] },
  ]);
  return { name, uid, groups: [...groups], extra: Object.fromEntries(lists) };
}
