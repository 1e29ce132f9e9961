/**
 * A store's functions as the services of the contract.
 *
 * Messages stay on this side. A watch is sent in batches; a list in chunks of bounded size.
 */
import { createHash } from "node:crypto";
import { create, toBinary } from "@bufbuild/protobuf";
import { Code, ConnectError, type ConnectRouter, type HandlerContext } from "@connectrpc/connect";
import {
  CatalogService,
  type DescribeResponse,
  DescribeResponseSchema,
  RevisionScope,
  StoreState,
} from "../../gen/annex/store/v1/catalog_pb.js";
import type { ReadConsistency, RequestContext, ResourceRef } from "../../gen/annex/store/v1/object_pb.js";
import { StoreService, WatchEventType } from "../../gen/annex/store/v1/store_pb.js";
import { Health, HealthCheckResponse_ServingStatus } from "../../gen/grpc/health/v1/health_pb.js";
import { ServerReflection } from "../../gen/grpc/reflection/v1/reflection_pb.js";
import { notFound } from "./errors.ts";
import { reflectionRoutes } from "./reflection.ts";
import type { Call, ListPage, Store, StoredObject, WatchFrame, Written } from "./store.ts";

/** What the process around a store knows. */
export interface ServingState {
  /** True from the stop signal on. */
  readonly isStopping: boolean;
  log(fields: object, message: string): void;
}

/** Bytes of one chunk of a list: a few messages a list, none near any limit. */
const chunkBytes = 1024 * 1024;
const largestMessageBytes = 16n * 1024n * 1024n;

/** Registers a store's services. */
export function storeRoutes(store: Store, state: ServingState): (router: ConnectRouter) => void {
  const description = describe(store);
  let refusedShown = "";

  function need<K extends "get" | "list" | "watch" | "create" | "update" | "delete" | "currentRevision">(
    name: K,
  ): NonNullable<Store[K]> {
    const handler = store[name];
    if (handler === undefined) throw new ConnectError(`${name} is not offered`, Code.Unimplemented);
    return handler.bind(store) as NonNullable<Store[K]>;
  }

  return (router) => {
    router.service(CatalogService, {
      describe(request) {
        if (request.ifNotDigest === description.digest) {
          return create(DescribeResponseSchema, { digest: description.digest, notModified: true });
        }
        return create(DescribeResponseSchema, { ...description, epoch: store.epoch() });
      },
      watchDescription: () => {
        throw new ConnectError("the description does not change while the store runs", Code.Unimplemented);
      },
      status(request) {
        const refused = request.applied?.refused ?? [];
        const shown = JSON.stringify(refused.map(({ group, plural, reason }) => ({ group, plural, reason })));
        if (refused.length > 0 && shown !== refusedShown) {
          state.log({ refused: JSON.parse(shown) }, "the gateway refuses resources");
        }
        refusedShown = shown;
        return { state: StoreState.READY, epoch: store.epoch(), digest: description.digest };
      },
    });
    router.service(Health, {
      check: () => ({
        status: state.isStopping
          ? HealthCheckResponse_ServingStatus.NOT_SERVING
          : HealthCheckResponse_ServingStatus.SERVING,
      }),
      list: () => ({}),
      async *watch() {
        yield { status: HealthCheckResponse_ServingStatus.SERVING };
      },
    });
    reflectionRoutes([CatalogService, StoreService, Health, ServerReflection])(router);
    router.service(StoreService, {
      async get(request, context) {
        const call = callOf(request, context);
        const { namespace = "", name = "" } = request.key ?? {};
        const found = await need("get")({ ...call, key: { namespace, name }, atRevision: exactOf(request.read) });
        if (found === undefined) throw notFound();
        return { object: messageOf(found), mark: { revision: found.revision, epoch: store.epoch() } };
      },
      async *list(request, context) {
        const page = await need("list")({
          ...callOf(request, context),
          namespace: request.namespace,
          limit: request.limit,
          continueToken: request.continueToken,
          atRevision: exactOf(request.read),
        });
        for (const chunk of chunksOf(page, request.maxChunkBytes || chunkBytes)) yield { items: chunk.map(messageOf) };
        yield {
          end: {
            mark: { revision: page.revision, epoch: store.epoch() },
            continueToken: page.continueToken ?? new Uint8Array(),
            ...(page.remaining === undefined ? {} : { remaining: page.remaining }),
          },
        };
      },
      async *watch(request, context) {
        const epoch = store.epoch();
        const after = request.start.case === "after" ? request.start.value : undefined;
        if (after !== undefined && request.epoch !== "" && request.epoch !== epoch) {
          yield {
            frame: { case: "expired" as const, value: { mark: { revision: 0n, epoch }, reason: "another epoch" } },
          };
          return;
        }
        const frames = need("watch")({
          ...callOf(request, context),
          namespace: request.namespace,
          after,
          previous: request.previous,
          progressEveryMs: request.progressEveryMs,
        });
        for await (const frame of frames) yield { frame: frameOf(frame, epoch) };
      },
      async create(request, context) {
        const object = objectOf(request.object);
        const written = await need("create")({ ...callOf(request, context), ...object });
        return { object: writtenOf(object, written) };
      },
      async update(request, context) {
        const object = objectOf(request.object);
        const preconditions = request.preconditions ?? {};
        const written = await need("update")({ ...callOf(request, context), ...object, preconditions });
        return { object: writtenOf(object, written) };
      },
      async delete(request, context) {
        const { namespace = "", name = "" } = request.key ?? {};
        const preconditions = request.preconditions ?? {};
        const last = await need("delete")({ ...callOf(request, context), key: { namespace, name }, preconditions });
        return { object: messageOf(last) };
      },
      async currentRevision(request, context) {
        const head = await need("currentRevision")(callOf(request, context));
        return { mark: { revision: head.revision, epoch: store.epoch() }, lastChange: head.lastChange ?? 0n };
      },
    });
  };
}

function describe(store: Store): DescribeResponse {
  const description = create(DescribeResponseSchema, {
    implementation: store.implementation,
    implementationVersion: store.version,
    minors: [0],
    revisionScope: store.revisionScope === "store" ? RevisionScope.STORE : RevisionScope.RESOURCE,
    maxMessageBytes: largestMessageBytes,
    resources: [...store.resources],
  });
  description.digest = createHash("sha256").update(toBinary(DescribeResponseSchema, description)).digest("hex");
  return description;
}

interface WithContext {
  readonly context?: RequestContext | undefined;
  readonly resource?: ResourceRef | undefined;
}

function callOf(request: WithContext, context: HandlerContext): Call {
  const { resource, context: said } = request;
  const user = said?.user;
  return {
    resource: { group: resource?.group ?? "", version: resource?.version ?? "", plural: resource?.plural ?? "" },
    requestId: said?.requestId ?? "",
    user:
      user === undefined
        ? undefined
        : {
            name: user.name,
            uid: user.uid,
            groups: user.groups,
            extra: Object.fromEntries(Object.entries(user.extra).map(([key, list]) => [key, list.values])),
          },
    signal: context.signal,
  };
}

function exactOf(read: ReadConsistency | undefined): bigint | undefined {
  return read?.at.case === "exact" ? read.at.value : undefined;
}

function messageOf(object: StoredObject) {
  const { namespace, name, revision, uid, json } = object;
  return { key: { namespace, name }, revision, uid, json };
}

function objectOf(
  message: { key?: { namespace: string; name: string } | undefined; uid: string; json: Uint8Array } | undefined,
) {
  const { namespace = "", name = "" } = message?.key ?? {};
  if (message === undefined || name === "") throw new ConnectError("the object has no key", Code.InvalidArgument);
  return { key: { namespace, name }, uid: message.uid, json: message.json };
}

function writtenOf(sent: { key: { namespace: string; name: string }; uid: string }, written: Written) {
  return {
    key: sent.key,
    revision: written.revision,
    uid: written.uid ?? sent.uid,
    json: written.json ?? new Uint8Array(),
  };
}

function frameOf(frame: WatchFrame, epoch: string) {
  switch (frame.frame) {
    case "started": {
      const mark = { revision: frame.revision, epoch };
      return { case: "started" as const, value: { mark, oldestResumable: frame.oldestResumable } };
    }
    case "events": {
      const events = frame.events.map((event) => ({
        type: event.type === "delete" ? WatchEventType.DELETE : WatchEventType.PUT,
        object: messageOf(event.object),
        ...(event.previous === undefined ? {} : { previous: messageOf(event.previous) }),
      }));
      return { case: "events" as const, value: { events } };
    }
    case "progress":
      return { case: "progress" as const, value: { mark: { revision: frame.revision, epoch } } };
    case "expired": {
      const { oldestResumable, revision, reason } = frame;
      return { case: "expired" as const, value: { oldestResumable, mark: { revision, epoch }, reason } };
    }
  }
}

function* chunksOf(page: ListPage, maxBytes: number): Generator<readonly StoredObject[]> {
  let chunk: StoredObject[] = [];
  let bytes = 0;
  for (const item of page.items) {
    if (chunk.length > 0 && bytes + item.json.length > maxBytes) {
      yield chunk;
      chunk = [];
      bytes = 0;
    }
    chunk.push(item);
    bytes += item.json.length;
  }
  if (chunk.length > 0) yield chunk;
}
