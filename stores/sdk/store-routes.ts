/**
 * A store's functions as StoreService.
 *
 * What a store doesn't declare is refused here, so that no author can forget to: a dry run that
 * would write, an earlier state that would be the present one, a write without compare-and-swap.
 * Lists go in chunks and watches in batches of bounded size.
 */
import { Code, ConnectError, type ConnectRouter, type HandlerContext } from "@connectrpc/connect";
import { Capability } from "../../gen/annex/store/v1/catalog_pb.js";
import type { ReadConsistency } from "../../gen/annex/store/v1/object_pb.js";
import { type ListRequest, StoreService, type WatchRequest } from "../../gen/annex/store/v1/store_pb.js";
import { maxMessageBytes } from "./catalog-routes.ts";
import { notFound, unavailable } from "./errors.ts";
import { createGuard } from "./guard.ts";
import { callFrom, frameMessage, keyFrom, objectFrom, objectMessage, piecesOf, writtenMessage } from "./messages.ts";
import { type Described, describedResources } from "./resources.ts";
import type { ServingState } from "./serving-state.ts";
import type { Call, Preconditions, Store, WatchFrame } from "./store.ts";

/** Bytes of objects in one message of a list or watch: a few messages a list, none near any limit. */
const chunkBytes = 1024 * 1024;
/** Objects in one message: their decoding is one step of the other side's event loop. */
const chunkItems = 1_000;

/** Registers StoreService. */
export function storeServiceRoutes(store: Store, state: ServingState): (router: ConnectRouter) => void {
  const describedOf = describedResources(store);
  const { guarded, guardedStream } = createGuard(state);
  const mark = (revision: bigint) => ({ revision, epoch: store.epoch() });

  function offered<T>(handler: T | undefined, name: string): T {
    if (handler === undefined) throw new ConnectError(`${name} is not offered`, Code.Unimplemented);
    return handler;
  }

  async function head(call: Call): Promise<bigint> {
    return (await store.currentRevision?.(call))?.revision ?? 0n;
  }

  /** Gives the revision that must be read exactly; undefined: the state of now will do. */
  async function exactRevision(
    read: ReadConsistency | undefined,
    call: Call,
    described: Described,
  ): Promise<bigint | undefined> {
    const at = read?.at;
    if (at?.case !== "exact" && at?.case !== "notOlderThan") return undefined;
    if (at.case === "exact") described.need(Capability.EXACT_READ);
    const present = await head(call);
    if (at.value > present) throw unavailable(`revision ${at.value} is not reached, the head is ${present}`);
    return at.case === "exact" ? at.value : undefined;
  }

  function assertConditional(preconditions: Preconditions, described: Described): void {
    if (preconditions.revision !== undefined || described.has(Capability.UNCONDITIONAL_UPDATE)) return;
    throw new ConnectError("a revision is required as a precondition", Code.InvalidArgument);
  }

  async function* list(request: ListRequest, context: HandlerContext) {
    const call = callFrom(request, context);
    const described = describedOf(request.resource);
    const handler = offered(store.list, "list").bind(store);
    const atRevision = await exactRevision(request.read, call, described);
    const asksOn = described.has(Capability.SNAPSHOT_LIST);
    const { namespace, limit, maxChunkBytes } = request;
    const bytes = Math.min(maxChunkBytes || chunkBytes, maxMessageBytes);
    let continueToken = request.continueToken;
    let sent = 0;
    for (;;) {
      const left = limit === 0 ? 0 : limit - sent;
      const page = await handler({ ...call, namespace, limit: left, continueToken, atRevision });
      for (const chunk of piecesOf(page.items, (item) => item.json.length, bytes, chunkItems)) {
        yield { items: chunk.map(objectMessage) };
      }
      sent += page.items.length;
      continueToken = page.continueToken ?? new Uint8Array();
      if (continueToken.length === 0 || !asksOn || (limit > 0 && sent >= limit)) {
        const counted = continueToken.length === 0 ? undefined : page.remaining;
        const remaining = typeof counted === "function" ? counted() : counted;
        const end = { mark: mark(page.revision), continueToken, ...(remaining === undefined ? {} : { remaining }) };
        yield { end };
        return;
      }
      if (page.items.length === 0) throw new Error("a page of a list was empty and not the last");
      await new Promise<void>((resolve) => setImmediate(resolve));
    }
  }

  async function* watch(request: WatchRequest, context: HandlerContext) {
    const call = callFrom(request, context);
    const described = describedOf(request.resource);
    const handler = offered(store.watch, "watch").bind(store);
    const { start, namespace, previous, progressEveryMs, maxBatch } = request;
    if (start.case === "initialState") {
      for (const needed of [Capability.INITIAL_STATE, Capability.SNAPSHOT_LIST, Capability.RESUME])
        described.need(needed);
    }
    if (start.case === "after") described.need(Capability.RESUME);
    const after = start.case === "after" ? start.value : undefined;
    const epoch = store.epoch();
    const isOf = request.epoch === "" || request.epoch === epoch;
    const isAhead = after !== undefined && after > (await head(call));
    if (after !== undefined && (!isOf || isAhead)) {
      const reason = isOf ? `revision ${after} is above the head` : "another epoch";
      yield {
        frame: frameMessage({ frame: "expired", oldestResumable: 0n, revision: await head(call), reason }, epoch),
      };
      return;
    }
    const signal = AbortSignal.any([call.signal, state.stopping]);
    const wantsPrevious = previous && described.has(Capability.PREVIOUS_OBJECT);
    const isInitial = start.case === "initialState";
    const from = isInitial ? yield* initialState({ ...call, signal }, namespace, epoch) : after;
    const frames = handler({ ...call, signal, namespace, after: from, previous: wantsPrevious, progressEveryMs });
    for await (const frame of frames) {
      if (signal.aborted) break;
      // The initial state began with it.
      if (isInitial && frame.frame === "started") continue;
      if (store.epoch() !== epoch) {
        const revision = await head(call);
        const reason = "a new epoch began";
        yield { frame: frameMessage({ frame: "expired", oldestResumable: 0n, revision, reason }, epoch) };
        return;
      }
      for (const piece of batchesOf(frame, maxBatch || chunkItems)) yield { frame: frameMessage(piece, epoch) };
      if (frame.frame === "expired") return;
    }
    if (state.stopping.aborted && !call.signal.aborted) throw unavailable("the store stops");
  }

  /** The present state as events, page by page of one state. Gives the revision that it is of. */
  async function* initialState(call: Call, namespace: string, epoch: string) {
    const handler = offered(store.list, "list").bind(store);
    let page = await handler({ ...call, namespace, limit: 0, continueToken: new Uint8Array(), atRevision: undefined });
    const { revision } = page;
    yield { frame: frameMessage({ frame: "started", revision, oldestResumable: 0n }, epoch) };
    for (;;) {
      const events = page.items.map((object) => ({ type: "put" as const, object }));
      for (const piece of batchesOf({ frame: "events", events }, chunkItems))
        yield { frame: frameMessage(piece, epoch) };
      const { continueToken = new Uint8Array() } = page;
      if (continueToken.length === 0) break;
      page = await handler({ ...call, namespace, limit: 0, continueToken, atRevision: undefined });
    }
    yield { frame: { case: "initialEnd" as const, value: { mark: mark(revision) } } };
    return revision;
  }

  return (router) => {
    router.service(StoreService, {
      get: (request, context) =>
        guarded("get", context.protocolName, false, async () => {
          const call = callFrom(request, context);
          const described = describedOf(request.resource);
          const handler = offered(store.get, "get").bind(store);
          const key = keyFrom(request.key, described.isNamespaced);
          const atRevision = await exactRevision(request.read, call, described);
          const before = await head(call);
          const found = await handler(Object.assign(call, { key, atRevision }));
          if (found === undefined) throw notFound();
          const revision = atRevision ?? (before > found.revision ? before : found.revision);
          return { object: objectMessage(found), mark: mark(revision) };
        }),
      list: (request, context) => guardedStream("list", context.protocolName, list(request, context)),
      watch: (request, context) => guardedStream("watch", context.protocolName, watch(request, context)),
      create: (request, context) =>
        guarded("create", context.protocolName, false, async () => {
          const described = describedOf(request.resource);
          const handler = offered(store.create, "create").bind(store);
          const object = objectFrom(request.object, described.isNamespaced);
          const { dryRun } = request;
          if (dryRun) described.need(Capability.DRY_RUN);
          const written = await handler(Object.assign(callFrom(request, context), object, { dryRun }));
          const warnings = [...(written.warnings ?? [])];
          return { object: writtenMessage(object, written), warnings, mark: mark(written.revision) };
        }),
      update: (request, context) =>
        guarded("update", context.protocolName, request.returnCurrentOnConflict, async () => {
          const described = describedOf(request.resource);
          const handler = offered(store.update, "update").bind(store);
          const object = objectFrom(request.object, described.isNamespaced);
          const { dryRun, preconditions = {} } = request;
          if (dryRun) described.need(Capability.DRY_RUN);
          assertConditional(preconditions, described);
          const written = await handler(Object.assign(callFrom(request, context), object, { preconditions, dryRun }));
          const warnings = [...(written.warnings ?? [])];
          const unchanged = written.unchanged ?? false;
          return { object: writtenMessage(object, written), warnings, unchanged, mark: mark(written.revision) };
        }),
      delete: (request, context) =>
        guarded("delete", context.protocolName, request.returnCurrentOnConflict, async () => {
          const described = describedOf(request.resource);
          const handler = offered(store.delete, "delete").bind(store);
          const key = keyFrom(request.key, described.isNamespaced);
          const { dryRun, preconditions = {} } = request;
          if (dryRun) described.need(Capability.DRY_RUN);
          assertConditional(preconditions, described);
          const last = await handler(Object.assign(callFrom(request, context), { key, preconditions, dryRun }));
          return { object: objectMessage(last), mark: mark(last.revision) };
        }),
      currentRevision: (request, context) =>
        guarded("currentRevision", context.protocolName, false, async () => {
          describedOf(request.resource);
          const found = await offered(store.currentRevision, "currentRevision").call(store, callFrom(request, context));
          return { mark: mark(found.revision), lastChange: found.lastChange ?? 0n };
        }),
    });
  };
}

function* batchesOf(frame: WatchFrame, maxItems: number): Generator<WatchFrame> {
  if (frame.frame !== "events") {
    yield frame;
    return;
  }
  const bytesOf = (event: (typeof frame.events)[number]) =>
    event.object.json.length + (event.previous?.json.length ?? 0);
  for (const events of piecesOf(frame.events, bytesOf, chunkBytes, maxItems)) yield { frame: "events", events };
}
