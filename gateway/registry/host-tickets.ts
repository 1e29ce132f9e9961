/**
 * Tickets by which a store may ask about the request that it serves.
 *
 * A ticket is a random name for one call to one store, and is forgotten when that call is over: it
 * holds nothing, so nothing in it can be read or forged. There are as many as there are calls under
 * way, which flowcontrol bounds.
 */
import { randomBytes } from "node:crypto";
import type { User } from "../apimachinery/user.ts";

/** The one object that a call is about. */
export interface CallObject {
  /** In the version that the client asked for. */
  readonly apiVersion: string;
  readonly kind: string;
  /** `""`: the resource is cluster-scoped. */
  readonly namespace: string;
  readonly name: string;
  /** `""`: the call doesn't say. */
  readonly uid: string;
}

/** What a ticket stands for. */
export interface TicketHolder {
  /** The store's name in the configuration. */
  readonly store: string;
  readonly user: User;
  readonly requestId: string;
  /** Made when somebody asks. Undefined: the call is about a collection. */
  readonly object: (() => CallObject) | undefined;
}

/** A ticket until `end`. */
export interface Ticket {
  /** As it goes into the call. */
  readonly message: { readonly address: string; readonly ticket: Uint8Array };
  end(): void;
}

/** The tickets of a gateway. */
export interface HostTickets {
  issue(holder: TicketHolder): Ticket;
  /** Undefined: there is no such ticket, or not any more. */
  holderOf(ticket: Uint8Array): TicketHolder | undefined;
  /** Looks among those of the other processes too. @throws Error if they can't be asked. */
  anywhere(ticket: Uint8Array): Promise<TicketHolder | undefined>;
}

/** 256 bits: nobody guesses one. */
const ticketBytes = 32;

/**
 * Makes the tickets. `address` is where stores reach HostService, `host:port`; `elsewhere` asks the other
 * processes that listen there.
 */
export function createHostTickets(
  address: () => string,
  elsewhere: HostTickets["anywhere"] = async () => undefined,
): HostTickets {
  const holders = new Map<string, TicketHolder>();
  return {
    issue(holder) {
      const ticket = randomBytes(ticketBytes);
      const key = keyOf(ticket);
      holders.set(key, holder);
      return { message: { address: address(), ticket }, end: () => holders.delete(key) };
    },
    holderOf: (ticket) => holders.get(keyOf(ticket)),
    anywhere: async (ticket) => holders.get(keyOf(ticket)) ?? (await elsewhere(ticket)),
  };
}

function keyOf(ticket: Uint8Array): string {
  return Buffer.from(ticket).toString("base64");
}
