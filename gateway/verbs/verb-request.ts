/**
 * What a verb is given: one authorized request for one served resource, and the tools of the server.
 *
 * Whatever could be refused from the URL, the headers or the user has been refused before.
 */
import type { Admit } from "../admission/admission.ts";
import type { AnswerForm } from "../apimachinery/answer-form.ts";
import type { JsonObject } from "../apimachinery/json.ts";
import type { IncludeObject } from "../apimachinery/options.ts";
import type { RequestInfo } from "../apimachinery/request-info.ts";
import type { ServedResource } from "../apimachinery/resource.ts";
import type { GroupWord } from "../apimachinery/status.ts";
import type { User } from "../apimachinery/user.ts";
import type { FieldManagement } from "../apply/apply.ts";
import type { CallContext, ObjectKey, Registry } from "../registry/registry.ts";
import type { TableColumns } from "../render/render.ts";
import type { WatchCache } from "../watchcache/watchcache.ts";
import type { SchemaOf } from "./present.ts";
import type { StreamSeats } from "./stream-seats.ts";

/** One request. */
export interface VerbRequest {
  readonly info: RequestInfo;
  readonly resource: ServedResource;
  readonly user: User;
  /** Who acts as the user. Undefined: nobody else. */
  readonly impersonator: User | undefined;
  readonly auditId: string;
  readonly userAgent: string;
  readonly form: AnswerForm;
  readonly includeObject: IncludeObject;
  /** Aborted when the client goes away. */
  readonly signal: AbortSignal;
  /** When the request must be answered, on the clock of `performance.now()`. */
  readonly deadline: number;
  /** Adds a Warning header; without effect once the head was sent. */
  warn(text: string): void;
}

/** A body that negotiation has read: the object, and what a strict decoder holds against it. */
export interface RequestBody {
  readonly value: JsonObject;
  readonly strictErrors: readonly string[];
  /** Size of the body as sent, in bytes. */
  readonly bytes: number;
}

/** Is told what one watch is sent. */
export interface ObserveWatch {
  /** An event, with its size in bytes. */
  event(bytes: number): void;
  /** Its client did not read, and was cut off. */
  terminated(): void;
}

/** What all verbs share, made once by the server. */
export interface VerbTools {
  readonly registry: Registry;
  readonly watchcache: WatchCache;
  readonly schemaOf: SchemaOf;
  /** A version's table columns, compiled once. */
  columnsOf(resource: ServedResource): TableColumns;
  readonly fields: FieldManagement;
  readonly clock: () => Date;
  /** In [0, 1). */
  readonly random: () => number;
  readonly uuid: () => string;
  /** About how often a watch that asked for bookmarks gets one. */
  readonly bookmarkEveryMs: number;
  /** Asks whether the request's user may also do this verb to this object. @throws StatusError 403. */
  authorize(request: VerbRequest, verb: string, name: string): Promise<void>;
  /** Lets a write pass that the cluster has nothing against. @throws StatusError. */
  readonly admit: Admit;
  /** Gives who is told what a watch of this resource is sent. */
  observeWatch(resource: ServedResource): ObserveWatch;
  readonly streamSeats: StreamSeats;
  readonly log: { error(fields: object, message: string): void };
}

/** Gives the resource as messages name it. */
export function resourceWord(resource: ServedResource): GroupWord {
  return { group: resource.definition.group, word: resource.definition.plural };
}

/** Gives the Kind as messages name it. */
export function kindWord(resource: ServedResource): GroupWord {
  return { group: resource.definition.group, word: resource.definition.kind };
}

/** Gives the key that a URL names. */
export function keyOf(request: VerbRequest): ObjectKey {
  return { namespace: request.info.namespace, name: request.info.name };
}

/** A watch has no deadline; what it asks of the store before it streams has, as an ordinary request's. */
const maxStoreCallMs = 60_000;

/** Gives what travels with a call to the store: who asks, and how long is left. */
export function callOf(request: VerbRequest): CallContext {
  return {
    requestId: request.auditId,
    user: request.user,
    impersonator: request.impersonator,
    userAgent: request.userAgent,
    clientVersion: `${request.resource.definition.group}/${request.resource.version.name}`,
    timeoutMs: Math.min(maxStoreCallMs, Math.max(1, Math.round(request.deadline - performance.now()))),
    signal: request.signal,
  };
}
