/**
 * Records every call to a store as operations: an interceptor, so that no check can forget it.
 *
 * Keeps what the run has written and not yet removed, for the clean-up.
 */
import { createHash } from "node:crypto";
import { appendFileSync, writeFileSync } from "node:fs";
import { Code, ConnectError, type Interceptor } from "@connectrpc/connect";
import type { ReadConsistency, StoredObject } from "../../gen/annex/store/v1/object_pb.js";
import { Projection } from "../../gen/annex/store/v1/object_pb.js";
import {
  type ListRequest,
  type ListResponse,
  StoreService,
  WatchEventType,
  type WatchRequest,
  type WatchResponse,
} from "../../gen/annex/store/v1/store_pb.js";
import type { Operation, Seen, SeenEvent } from "./operation.ts";

/** First line of a history's file. */
export interface HistoryHead {
  readonly annexHistory: 1;
  readonly implementation: string;
  readonly storeScope: boolean;
}

/** Records. */
export interface Recorder {
  readonly operations: readonly Operation[];
  /** Names the promise that is being checked from now on. */
  begin(promise: string): void;
  /** Makes the interceptor of one endpoint's connection. */
  of(endpoint: number): Interceptor;
  /** Writes what was recorded since the last call to the history's file, if there is one. */
  flush(): void;
}

/** Begins a history; `file` is written anew. */
export function createRecorder(head: HistoryHead, file?: string): Recorder {
  const operations: Operation[] = [];
  const began = performance.now();
  const now = () => performance.now() - began;
  let promise = "";
  let written = 0;
  if (file !== undefined) writeFileSync(file, `${JSON.stringify(head)}\n`);

  function open(endpoint: number, call: string, request: Request): Operation {
    const op = { ...asked(request), id: operations.length, promise, endpoint, call, at: now() };
    operations.push(op);
    return op;
  }

  function fail(op: Operation, error: unknown): void {
    const { code, rawMessage } = ConnectError.from(error);
    op.till = now();
    op.code = Code[code];
    op.message = rawMessage;
  }

  async function* watched(op: Operation, stream: AsyncIterable<WatchResponse>): AsyncIterable<WatchResponse> {
    const { endpoint, resource, namespace = "" } = op;
    try {
      for await (const response of stream) {
        const id = operations.length;
        const about = { id, promise: op.promise, endpoint, call: "frame", resource, namespace, watch: op.id };
        operations.push({ ...about, at: now(), ...frameOf(response) });
        yield response;
      }
      op.till = now();
    } catch (error) {
      fail(op, error);
      throw error;
    } finally {
      op.till ??= now();
    }
  }

  async function* listed(op: Operation, stream: AsyncIterable<ListResponse>): AsyncIterable<ListResponse> {
    const items: Seen[] = [];
    op.items = items;
    try {
      for await (const response of stream) {
        items.push(...response.items.map(seen));
        if (response.end !== undefined) {
          op.end = response.end.continueToken.length > 0 ? "more" : "whole";
          op.mark = String(response.end.mark?.revision ?? 0n);
          op.epoch = response.end.mark?.epoch ?? "";
        }
        yield response;
      }
      op.till = now();
    } catch (error) {
      fail(op, error);
      throw error;
    } finally {
      op.till ??= now();
    }
  }

  return {
    operations,
    begin(name) {
      promise = name;
    },
    of: (endpoint) => (next) => async (req) => {
      if (req.service.typeName !== StoreService.typeName) return await next(req);
      const call = req.method.localName;
      if (!req.stream) {
        const op = open(endpoint, call, req.message as Request);
        try {
          const response = await next(req);
          op.till = now();
          if (!response.stream) Object.assign(op, answered(op, response.message as Response));
          return response;
        } catch (error) {
          fail(op, error);
          throw error;
        }
      }
      // A server stream: the one request goes by before the first answer.
      let op: Operation | undefined;
      const message = tapped(req.message, (request) => {
        op = open(endpoint, call, request as Request);
      });
      try {
        const response = await next({ ...req, message });
        if (!response.stream || op === undefined) return response;
        const stream = response.message;
        if (call === "watch") return { ...response, message: watched(op, stream as AsyncIterable<WatchResponse>) };
        if (call === "list") return { ...response, message: listed(op, stream as AsyncIterable<ListResponse>) };
        return response;
      } catch (error) {
        if (op !== undefined) fail(op, error);
        throw error;
      }
    },
    flush() {
      if (file === undefined) return;
      const lines = operations.slice(written).map((op) => `${JSON.stringify(op)}\n`);
      written = operations.length;
      appendFileSync(file, lines.join(""));
    },
  };
}

/** What requests have, each some of it. */
interface Request extends Partial<Omit<ListRequest, "$typeName" | "$unknown">> {
  readonly start?: WatchRequest["start"];
  readonly key?: { readonly namespace: string; readonly name: string };
  readonly object?: StoredObject;
  readonly preconditions?: { readonly revision?: bigint };
  readonly dryRun?: boolean;
}

interface Response {
  readonly object?: StoredObject;
  readonly unchanged?: boolean;
  readonly mark?: { readonly revision: bigint; readonly epoch: string };
  readonly lastChange?: bigint;
}

type Asked = Omit<Operation, "id" | "promise" | "endpoint" | "call" | "at">;

function asked(request: Request): Asked {
  const { resource, key = request.object?.key, object, preconditions, read, start, limit, continueToken } = request;
  return {
    resource: resource === undefined ? "" : `${resource.plural}.${resource.group}`,
    ...(key === undefined ? {} : { key: keyText(key) }),
    ...(request.namespace === undefined ? {} : { namespace: request.namespace }),
    ...(object === undefined ? {} : { sent: digestOf(object.json) }),
    ...(preconditions?.revision === undefined ? {} : { required: String(preconditions.revision) }),
    ...(request.dryRun ? { dryRun: true } : {}),
    ...(read?.at.case === undefined ? {} : { read: readText(read) }),
    ...(limit ? { limit } : {}),
    ...(continueToken?.length ? { continued: true } : {}),
    ...(request.projection === Projection.METADATA ? { projected: true } : {}),
    ...(request.selector === undefined ? {} : { selected: true }),
    ...(start === undefined ? {} : { start: start.case === "after" ? String(start.value) : (start.case ?? "now") }),
    ...(request.context?.requestId ? { requestId: request.context.requestId } : {}),
  };
}

function answered(op: Operation, { object, unchanged, mark, lastChange }: Response): Partial<Operation> {
  const digest = object === undefined ? undefined : object.json.length > 0 ? digestOf(object.json) : op.sent;
  return {
    ...(object === undefined ? {} : { revision: String(object.revision) }),
    ...(digest === undefined ? {} : { digest }),
    ...(unchanged ? { unchanged } : {}),
    ...(mark === undefined ? {} : { mark: String(mark.revision), epoch: mark.epoch }),
    ...(lastChange === undefined ? {} : { lastChange: String(lastChange) }),
  };
}

function frameOf({ frame }: WatchResponse): Partial<Operation> {
  switch (frame.case) {
    case "started":
      return { frame: "started", ...markOf(frame.value), oldest: String(frame.value.oldestResumable) };
    case "events":
      return {
        frame: "events",
        events: frame.value.events.map(({ type, object, previous }): SeenEvent => {
          const [key, revision, digest] = seen(object);
          const word = type === WatchEventType.DELETE ? "delete" : "put";
          return [word, key, revision, digest, previous === undefined ? "" : String(previous.revision)];
        }),
      };
    case "progress":
      return { frame: "progress", ...markOf(frame.value) };
    case "initialEnd":
      return { frame: "initialEnd", ...markOf(frame.value) };
    case "expired":
      return {
        frame: "expired",
        ...markOf(frame.value),
        oldest: String(frame.value.oldestResumable),
        message: frame.value.reason,
      };
    default:
      return {};
  }
}

function markOf({ mark }: { readonly mark?: { readonly revision: bigint; readonly epoch: string } | undefined }) {
  return { mark: String(mark?.revision ?? 0n), epoch: mark?.epoch ?? "" };
}

function seen(object: StoredObject | undefined): Seen {
  if (object === undefined) return ["", "0", ""];
  return [keyText(object.key), String(object.revision), digestOf(object.json)];
}

function readText(read: ReadConsistency): string {
  const { at } = read;
  return at.case === "exact" || at.case === "notOlderThan" ? `${at.case} ${at.value}` : (at.case ?? "");
}

/** `namespace/name`. */
export function keyText(key: { readonly namespace: string; readonly name: string } | undefined): string {
  return `${key?.namespace ?? ""}/${key?.name ?? ""}`;
}

/** Enough of a hash that two of one run differ. */
export function digestOf(json: Uint8Array): string {
  return createHash("sha256").update(json).digest("base64url").slice(0, 12);
}

async function* tapped<T>(stream: AsyncIterable<T>, take: (item: T) => void): AsyncIterable<T> {
  for await (const item of stream) {
    take(item);
    yield item;
  }
}
