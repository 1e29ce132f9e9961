/**
 * The contract's messages as the plain values of store.ts, and back.
 */
import { Code, ConnectError, type HandlerContext } from "@connectrpc/connect";
import type {
  ObjectKey as KeyMessage,
  StoredObject as ObjectMessage,
  RequestContext,
  ResourceRef,
  StringList,
} from "../../gen/annex/store/v1/object_pb.js";
import { WatchEventType } from "../../gen/annex/store/v1/store_pb.js";
import type { Call, CallUser, ObjectKey, StoredObject, StoreEvent, WatchFrame, Written } from "./store.ts";

/** What every request message has. */
export interface WithContext {
  readonly context?: RequestContext | undefined;
  readonly resource?: ResourceRef | undefined;
}

/**
 * Gives what every call has. Its signal is made when it is asked for, or copied: so what is more is
 * assigned to it.
 */
export function callFrom(request: WithContext, context: HandlerContext): Call {
  const { resource, context: said } = request;
  const call = {
    resource: { group: resource?.group ?? "", version: resource?.version ?? "", plural: resource?.plural ?? "" },
    requestId: said?.requestId ?? "",
    user: userFrom(said),
    host: said?.host === undefined ? undefined : { address: said.host.address, ticket: said.host.ticket },
    ...(said === undefined || said.timeoutMs === 0 ? {} : { timeoutMs: said.timeoutMs }),
    [contextOf]: context,
  };
  return Object.defineProperty(call, "signal", signalProperty) as typeof call & { readonly signal: AbortSignal };
}

/** A call's context, for its signal. */
const contextOf = Symbol("context");

/** One getter for all calls: with one of its own each would be of a shape of its own, which costs more than the call. */
const signalProperty: PropertyDescriptor & ThisType<{ readonly [contextOf]: HandlerContext }> = {
  enumerable: true,
  configurable: true,
  get() {
    return this[contextOf].signal;
  },
};

function userFrom(context: RequestContext | undefined): CallUser | undefined {
  const user = context?.user;
  if (user === undefined) return undefined;
  return { name: user.name, uid: user.uid, groups: user.groups, extra: valuesFrom(user.extra) };
}

/** Gives the values of each key. */
export function valuesFrom(map: Readonly<Record<string, StringList>>): Record<string, readonly string[]> {
  return Object.fromEntries(Object.entries(map).map(([key, list]) => [key, list.values]));
}

/**
 * Gives a key; `isUnnamed`: the name may be missing.
 * @throws ConnectError INVALID_ARGUMENT if it can't be one of an object of that scope.
 */
export function keyFrom(
  message: KeyMessage | undefined,
  isNamespaced: boolean,
  { isUnnamed = false }: { readonly isUnnamed?: boolean } = {},
): ObjectKey {
  const { namespace = "", name = "" } = message ?? {};
  if (name === "" && !isUnnamed) throw new ConnectError("the object has no name", Code.InvalidArgument);
  if (name.includes("/") || namespace.includes("/")) throw new ConnectError("a key has a slash", Code.InvalidArgument);
  if (isNamespaced && namespace === "") throw new ConnectError("the object has no namespace", Code.InvalidArgument);
  if (!isNamespaced && namespace !== "") {
    throw new ConnectError("the object has a namespace, the resource has none", Code.InvalidArgument);
  }
  return { namespace, name };
}

/** Gives the object that is to be written. @throws ConnectError INVALID_ARGUMENT as keyFrom(). */
export function objectFrom(message: ObjectMessage | undefined, isNamespaced: boolean) {
  const key = keyFrom(message?.key, isNamespaced);
  return { key, uid: message?.uid ?? "", json: message?.json ?? new Uint8Array() };
}

/** An object as a message. */
export function objectMessage(object: StoredObject) {
  const { namespace, name, revision, uid, json } = object;
  return { key: { namespace, name }, revision, uid, json };
}

/** What a write gives, as a message; the bytes that were sent are not sent back. */
export function writtenMessage(sent: { readonly key: ObjectKey; readonly uid: string }, written: Written) {
  const { revision, uid = sent.uid, json = new Uint8Array() } = written;
  const { namespace, name } = sent.key;
  return { key: { namespace, name }, revision, uid, json };
}

/** A frame of a watch as a message. */
export function frameMessage(frame: WatchFrame, epoch: string) {
  const mark = "revision" in frame ? { revision: frame.revision, epoch } : { revision: 0n, epoch };
  switch (frame.frame) {
    case "started":
      return { case: "started" as const, value: { mark, oldestResumable: frame.oldestResumable } };
    case "events":
      return { case: "events" as const, value: { events: frame.events.map(eventMessage) } };
    case "progress":
      return { case: "progress" as const, value: { mark } };
    case "expired":
      return {
        case: "expired" as const,
        value: { oldestResumable: frame.oldestResumable, mark, reason: frame.reason },
      };
  }
}

function eventMessage(event: StoreEvent) {
  return {
    type: event.type === "delete" ? WatchEventType.DELETE : WatchEventType.PUT,
    object: objectMessage(event.object),
    ...(event.previous === undefined ? {} : { previous: objectMessage(event.previous) }),
  };
}

/** Cuts a sequence into pieces of at most `maxBytes`, or of one item that is larger, and `maxItems`. */
export function* piecesOf<T>(
  items: readonly T[],
  bytesOf: (item: T) => number,
  maxBytes: number,
  maxItems: number,
): Generator<readonly T[]> {
  let piece: T[] = [];
  let bytes = 0;
  for (const item of items) {
    const size = bytesOf(item);
    if (piece.length > 0 && (bytes + size > maxBytes || piece.length >= maxItems)) {
      yield piece;
      piece = [];
      bytes = 0;
    }
    piece.push(item);
    bytes += size;
  }
  if (piece.length > 0) yield piece;
}
