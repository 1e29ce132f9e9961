/**
 * The verbs of one resource, called at its store over Connect.
 *
 * The contract's messages stay on this side: plain values go in and come out, errors come as
 * Statuses.
 */
import type { MessageInitShape } from "@bufbuild/protobuf";
import { type CallOptions, type Client, Code, ConnectError, createContextValues } from "@connectrpc/connect";
import type { ActionService } from "../../gen/annex/store/v1/action_pb.js";
import type { ErrorDetail } from "../../gen/annex/store/v1/error_pb.js";
import type { HookService } from "../../gen/annex/store/v1/hook_pb.js";
import type { StoredObject as StoredMessage } from "../../gen/annex/store/v1/object_pb.js";
import {
  type WatchEvent as EventMessage,
  type ListRequestSchema,
  type ListResponse,
  type StoreService,
  WatchEventType,
  type WatchResponse,
} from "../../gen/annex/store/v1/store_pb.js";
import type { ResourceDefinition } from "../apimachinery/resource.ts";
import { conflict, modifiedText, type Status, StatusError } from "../apimachinery/status.ts";
import { type ContextOpener, callObject, type SaidContext, uidIn } from "./context.ts";
import { storeErrorFrom } from "./errors.ts";
import { createHookClient } from "./hook-client.ts";
import {
  type CallContext,
  type InvokeCall,
  type ListPage,
  type ObjectKey,
  type ReadAt,
  type ResourceClient,
  type StoredObject,
  type StoreEvent,
  type WatchFrame,
  WriteConflict,
  type WritePreconditions,
} from "./store-call.ts";
import { type StreamRequestInit, streamOutput, streamRequest } from "./stream-messages.ts";
import { isLost, repeatable } from "./unreceived.ts";

/** What a client is made with. */
export interface ResourceClientOptions {
  readonly definition: ResourceDefinition;
  readonly storeName: string;
  readonly store: Client<typeof StoreService>;
  readonly actions: Client<typeof ActionService>;
  readonly hooks: Client<typeof HookService>;
  readonly opener: ContextOpener;
  /** Is told each revision that clients may come to see. */
  readonly onRevision: (revision: bigint) => void;
  readonly log: { error(fields: object, message: string): void };
}

/** Progress is asked for this often, so that bookmarks and waiting reads go on while nothing changes. */
const progressEveryMs = 1_000;

/** Makes the client of one resource. */
export function createResourceClient(options: ResourceClientOptions): ResourceClient {
  const { definition, store, actions, storeName, opener, onRevision, log } = options;
  const { idempotentWrites } = definition.capabilities;
  const resource = {
    group: definition.group,
    version: definition.storageVersion,
    plural: definition.plural,
    subresource: "",
  };

  function failure(error: unknown, verb: string, name: string): Error {
    const about = {
      group: definition.group,
      plural: definition.plural,
      kind: definition.kind,
      name,
      verb,
      store: storeName,
    };
    const readCurrent = (detail: ErrorDetail) =>
      detail.current === undefined ? undefined : storedFrom(detail.current);
    return storeErrorFrom(error, about, readCurrent, (cause, message) => {
      log.error({ store: storeName, resource: definition.plural, verb, err: cause }, message);
    });
  }

  async function call<T>(
    about: {
      readonly verb: string;
      readonly key?: ObjectKey;
      readonly uid?: () => string;
      readonly caller: CallContext;
    },
    work: (context: SaidContext) => Promise<T>,
  ): Promise<T> {
    const { key, uid, caller } = about;
    const opened = opener(caller, key && (() => callObject(definition, caller, key, uid?.())));
    try {
      return await work(opened.context);
    } catch (error) {
      throw failure(error, about.verb, key?.name ?? "");
    } finally {
      opened.end();
    }
  }

  const writeOptions = idempotentWrites ? readOptions : callOptions;

  /** Reads a page to the end of its stream; once more if that breaks off after its first message. */
  async function pageOf(
    request: MessageInitShape<typeof ListRequestSchema>,
    caller: CallContext,
    isSecond = false,
  ): Promise<ListPage> {
    const items: StoredObject[] = [];
    let end: ListResponse["end"];
    let hasBegun = false;
    try {
      // To its end: one that is left early keeps its deadline's timer.
      for await (const chunk of store.list(request, readOptions(caller))) {
        hasBegun = true;
        for (const item of chunk.items) items.push(storedFrom(item));
        end = chunk.end ?? end;
      }
    } catch (error) {
      if (isSecond || !hasBegun || caller.signal.aborted || !isLost(error)) throw error;
      return await pageOf(request, caller, true);
    }
    if (end === undefined) throw new ConnectError("the list ended without its mark", Code.DataLoss);
    onRevision(end.mark?.revision ?? 0n);
    return {
      items,
      revision: end.mark?.revision ?? 0n,
      epoch: end.mark?.epoch ?? "",
      continueToken: end.continueToken,
      remaining: end.remaining,
    };
  }

  function shown(object: StoredObject): StoredObject {
    onRevision(object.revision);
    return object;
  }

  function invokeRequest(invoke: InvokeCall, context: SaidContext) {
    const { query, parent, key, httpMethod, subpath, contentType, body, dryRun } = invoke;
    return {
      ...{ context, key, httpMethod, subpath, contentType, body, dryRun },
      resource: { ...resource, subresource: invoke.subresource },
      query: Object.fromEntries([...query].map(([name, values]) => [name, { values: [...values] }])),
      ...(parent === undefined ? {} : { parent: messageOf(parent) }),
    };
  }

  /** Nothing was compared by us: a conflict is the client's to hear. */
  function withoutConflict(error: unknown, name: string): unknown {
    if (!(error instanceof WriteConflict)) return error;
    return conflict({ group: definition.group, word: definition.plural }, name, modifiedText);
  }

  return {
    hooks: createHookClient(options),

    get: (key, read, caller) =>
      call({ verb: "get", key, caller }, async (context) => {
        try {
          const request = { context, resource, key, read: readOf(read) };
          const response = await store.get(request, readOptions(caller));
          return response.object && shown(storedFrom(response.object));
        } catch (error) {
          if (error instanceof ConnectError && error.code === Code.NotFound) return undefined;
          throw error;
        }
      }),

    list: (list, caller) =>
      call({ verb: "list", caller }, async (context) => {
        const request = {
          context,
          resource,
          namespace: list.namespace,
          read: readOf(list.read),
          limit: list.limit,
          continueToken: list.continueToken,
        };
        return await pageOf(request, caller);
      }),

    async *watch(watch): AsyncIterable<WatchFrame> {
      const opened = watch.caller && opener({ ...watch.caller, timeoutMs: 0 });
      const request = {
        ...(opened === undefined ? {} : { context: opened.context }),
        resource,
        start: { case: "after" as const, value: watch.after },
        epoch: watch.epoch,
        previous: watch.previous ?? false,
        progressEveryMs,
      };
      try {
        for await (const { frame } of store.watch(request, { ...watchOptions, signal: watch.signal })) {
          const read = frameFrom(frame);
          if (read === undefined) continue;
          if (read.frame === "events") for (const { object } of read.events) onRevision(object.revision);
          if (read.frame === "progress") onRevision(read.revision);
          yield read;
        }
      } catch (error) {
        throw failure(error, "watch", "");
      } finally {
        opened?.end();
      }
    },

    create: (key, uid, json, caller) =>
      call({ verb: "create", key, uid: () => uid, caller }, async (context) => {
        const object = { key, uid, json };
        const request = { context, resource, object };
        const response = await store.create(request, writeOptions(caller));
        return shown(written(response.object, key, json));
      }),

    update: (key, uid, json, preconditions, caller) =>
      call({ verb: "update", key, uid: () => uid, caller }, async (context) => {
        const request = {
          context,
          resource,
          object: { key, uid, json },
          preconditions: preconditionsOf(preconditions),
          returnCurrentOnConflict: true,
        };
        const response = await store.update(request, writeOptions(caller));
        return shown(written(response.object, key, json));
      }),

    delete: (key, preconditions, caller) =>
      call({ verb: "delete", key, uid: () => preconditions.uid ?? "", caller }, async (context) => {
        const request = {
          context,
          resource,
          key,
          preconditions: preconditionsOf(preconditions),
          returnCurrentOnConflict: true,
        };
        const response = await store.delete(request, writeOptions(caller));
        return shown(written(response.object, key, new Uint8Array()));
      }),

    async invoke(invoke, caller) {
      const about = { verb: "create", key: invoke.key, uid: () => uidIn(invoke.parent?.json), caller };
      try {
        return await call(about, async (context) => {
          const answer = await actions.invoke(invokeRequest(invoke, context), callOptions(caller));
          const { httpStatus, contentType, body, warnings } = answer;
          return { status: httpStatus, contentType, body, warnings };
        });
      } catch (error) {
        throw withoutConflict(error, invoke.key.name);
      }
    },

    async *stream(stream, input, caller) {
      const { name } = stream.key;
      const failed = (error: unknown) => withoutConflict(failure(error, "get", name), name);
      const uid = () => uidIn(stream.parent?.json);
      const opened = opener({ ...caller, timeoutMs: 0 }, () => callObject(definition, caller, stream.key, uid()));
      const open = { request: invokeRequest(stream, opened.context), subprotocols: [...stream.protocols] };
      async function* requests(): AsyncIterable<StreamRequestInit> {
        yield { frame: { case: "open", value: open } };
        for await (const frame of input) yield streamRequest(frame);
      }
      try {
        for await (const response of actions.stream(requests(), { signal: caller.signal, timeoutMs: 0 })) {
          const output = streamOutput(response, (error) => statusOf(failed(error)));
          if (output !== undefined) yield output;
        }
      } catch (error) {
        throw failed(error);
      } finally {
        opened.end();
      }
    },

    currentRevision: (caller) =>
      call({ verb: "get", caller }, async (context) => {
        const request = { context, resource };
        if (definition.polledWatchMs > 0) {
          // A store without a feed need not offer it: a list's mark is the head.
          const { revision } = await pageOf({ ...request, limit: 1 }, caller);
          return { revision, lastChange: undefined };
        }
        const response = await store.currentRevision(request, readOptions(caller));
        const { mark, lastChange } = response;
        return { revision: mark?.revision ?? 0n, lastChange: lastChange === 0n ? undefined : lastChange };
      }),
  };
}

type Frame = WatchResponse["frame"];

function frameFrom(frame: Frame): WatchFrame | undefined {
  switch (frame.case) {
    case "started":
      return {
        frame: "started",
        revision: frame.value.mark?.revision ?? 0n,
        epoch: frame.value.mark?.epoch ?? "",
        oldestResumable: frame.value.oldestResumable,
      };
    case "events":
      return { frame: "events", events: frame.value.events.map(eventFrom) };
    case "progress":
      return { frame: "progress", revision: frame.value.mark?.revision ?? 0n };
    case "expired":
      return { frame: "expired", oldestResumable: frame.value.oldestResumable, reason: frame.value.reason };
    default:
      return undefined;
  }
}

function eventFrom({ type, object, previous }: EventMessage): StoreEvent {
  if (object === undefined) throw new ConnectError("a watch event has no object", Code.DataLoss);
  return {
    type: type === WatchEventType.DELETE ? "delete" : "put",
    object: storedFrom(object),
    ...(previous === undefined ? {} : { previous: storedFrom(previous) }),
  };
}

function storedFrom(message: StoredMessage): StoredObject {
  return {
    namespace: message.key?.namespace ?? "",
    name: message.key?.name ?? "",
    revision: message.revision,
    json: message.json,
  };
}

function statusOf(error: unknown): Status {
  if (error instanceof StatusError) return error.status;
  throw error;
}

function messageOf({ namespace, name, revision, json }: StoredObject) {
  return { key: { namespace, name }, revision, json };
}

/** A store may leave out the bytes that it was sent. */
function written(
  message: StoredMessage | undefined,
  key: { readonly namespace: string; readonly name: string },
  sent: Uint8Array,
): StoredObject {
  if (message === undefined) throw new ConnectError("the answer to a write has no object", Code.DataLoss);
  return { ...key, revision: message.revision, json: message.json.length > 0 ? message.json : sent };
}

function readOf(read: ReadAt) {
  switch (read.at) {
    case "latest":
      return { at: { case: "latest" as const, value: {} } };
    case "any":
      return { at: { case: "any" as const, value: {} } };
    case "notOlderThan":
      return { at: { case: "notOlderThan" as const, value: read.revision } };
    case "exact":
      return { at: { case: "exact" as const, value: read.revision } };
  }
}

function preconditionsOf(preconditions: WritePreconditions) {
  return {
    ...(preconditions.revision === undefined ? {} : { revision: preconditions.revision }),
    ...(preconditions.uid === undefined ? {} : { uid: preconditions.uid }),
  };
}

function callOptions(call: CallContext): CallOptions {
  return { signal: call.signal, timeoutMs: call.timeoutMs };
}

/** For calls that are made again if they were lost. */
const contextValues = createContextValues().set(repeatable, true);
const watchOptions: CallOptions = { timeoutMs: 0, contextValues };

function readOptions(call: CallContext): CallOptions {
  return { signal: call.signal, timeoutMs: call.timeoutMs, contextValues };
}
