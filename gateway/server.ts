/**
 * Joins the rooms: one function from a request to its answer, in the order of Kubernetes' filters.
 *
 *   audit id → request info → deadline → authentication → impersonation → seat → authorization
 *     → discovery, OpenAPI, health, metrics or a verb → answer, with warnings → log, metrics
 *
 * What a room throws becomes an answer here: a Status in the language that the client reads, a plain
 * text where Kubernetes answers one, and for anything else the text of a panic, while the log gets
 * the whole error.
 * Source: apiserver pkg/server/config.go (DefaultBuildHandlerChain).
 */
import { type AnswerForm, plainJson } from "./apimachinery/answer-form.ts";
import type { HttpAnswer, HttpHeaders, HttpRequest } from "./apimachinery/http.ts";
import { isSocketBody, isStreamBody } from "./apimachinery/http.ts";
import type { JsonObject } from "./apimachinery/json.ts";
import { after, isPromise } from "./apimachinery/promise.ts";
import type { RequestInfo } from "./apimachinery/request-info.ts";
import type { ServedResource } from "./apimachinery/resource.ts";
import {
  retryAfterHeader,
  type Status,
  StatusError,
  serviceUnavailable,
  tooManyRequests,
} from "./apimachinery/status.ts";
import { TextError, UnreadableRequest } from "./apimachinery/text-error.ts";
import { anonymousUser, type User } from "./apimachinery/user.ts";
import { type Authenticating, actingUser } from "./authn/authn.ts";
import {
  type Authorizer,
  assertAllowed,
  assertMayImpersonate,
  attributesOf,
  forbiddenFor,
  timedAuthorizer,
} from "./authz/authz.ts";
import { answerDiscovery } from "./discovery/discovery.ts";
import { dispatchVerb } from "./dispatch.ts";
import { type FlowControl, tooManyAnswer } from "./flowcontrol/flowcontrol.ts";
import type { Health } from "./health/health.ts";
import type { Figures, Metrics, SeenRequest } from "./metrics/metrics.ts";
import { negotiateAnswer, takesProtobuf } from "./negotiation/negotiation.ts";
import type { OpenApi } from "./openapi/openapi.ts";
import type { Registry } from "./registry/registry.ts";
import { compressIfAsked, protobufMediaType, renderDocument, renderStatus, statusProtobuf } from "./render/render.ts";
import {
  auditIdOf,
  createWarnings,
  isLongRunning,
  parseQuery,
  parseRequestInfo,
  type Query,
  requestDeadlineMs,
  type Warnings,
} from "./request/request.ts";
import type { VerbTools } from "./verbs/verbs.ts";

/** The rooms of one server. */
export interface ServerRooms {
  readonly registry: Registry;
  /** Whether every path that will be served is known. */
  readonly isReady: () => boolean;
  readonly authentication: Pick<Authenticating, "authenticate">;
  readonly authorizer: Authorizer;
  readonly flowControl: FlowControl;
  readonly health: Health;
  readonly openApi: OpenApi;
  readonly version: JsonObject;
  readonly metrics: Metrics;
  /** Gives what metrics are read of only when somebody looks. */
  readonly figures: () => Figures;
  readonly tools: VerbTools;
  readonly log: {
    info(fields: object, message: string): void;
    error(fields: object, message: string): void;
  };
}

/** As kube-apiserver's. */
const installedSeconds = 5;
/** A watch is missed sooner than a read. */
const watchRetrySeconds = 1;

/** One request on its way. */
interface Passage {
  /** Once the user is known, without what said so. */
  request: HttpRequest;
  readonly auditId: string;
  readonly query: Query;
  readonly info: RequestInfo;
  readonly warnings: Warnings;
  /** On the clock of `performance.now()`. */
  deadline: number;
  user: User | undefined;
  /** Who acts as the user. Undefined: nobody else. */
  impersonator: User | undefined;
}

/** Makes the function that answers requests. It never rejects. */
export function createHandler(given: ServerRooms): (request: HttpRequest) => Promise<HttpAnswer> {
  const { metrics } = given;
  const asked = timedAuthorizer(given.authorizer, metrics.access.authorized);
  const rooms = { ...given, asked };
  return async (request) => {
    const started = performance.now();
    const seconds = () => (performance.now() - started) / 1000;
    const auditId = auditIdOf(request.header("audit-id"), rooms.tools.uuid);
    const warnings = createWarnings();
    let passage: Passage | undefined;
    let answer: HttpAnswer;
    let isUnreadable = false;
    try {
      const query = parseQuery(request.query);
      const info = parseRequestInfo(request, query);
      passage = {
        request,
        auditId,
        query,
        info,
        warnings,
        deadline: started,
        user: undefined,
        impersonator: undefined,
      };
      passage.deadline += lasts(request, info, rooms) ? Number.MAX_SAFE_INTEGER : requestDeadlineMs(query);
      answer = await inTime(passage, passThrough(passage, rooms));
    } catch (error) {
      answer = errorAnswer(error, request, passage, rooms);
      isUnreadable = error instanceof UnreadableRequest;
    }
    const finished = finish(answer, isUnreadable ? {} : filterHeaders(auditId, warnings, passage !== undefined));
    if (isStranger(request, finished.status, passage?.user)) finished.endsConnection = true;
    rooms.log.info(
      {
        auditId,
        method: request.method,
        uri: request.uri,
        status: finished.status,
        user: passage?.user?.name,
        impersonator: passage?.impersonator?.name,
        ms: Math.round(seconds() * 10_000) / 10,
      },
      "request",
    );
    return counted(finished, seenRequest(request, passage, rooms), metrics, seconds);
  };
}

function resourceOf(info: RequestInfo, { registry }: Pick<ServerRooms, "registry">): ServedResource | undefined {
  if (!info.isResourceRequest) return undefined;
  return registry.table().find(info.apiGroup, info.apiVersion, info.resource);
}

/** What metrics tell requests apart by. */
function seenRequest(request: HttpRequest, passage: Passage | undefined, rooms: ServerRooms): SeenRequest {
  const info = passage?.info;
  return {
    method: request.method,
    info,
    dryRun: passage?.query.get("dryRun") ?? [],
    contentType: request.header("content-type"),
    resource: info && resourceOf(info, rooms),
  };
}

/** Counts a whole answer now, and what lasts when it ends. */
function counted(answer: HttpAnswer, seen: SeenRequest, { requests }: Metrics, seconds: () => number): HttpAnswer {
  const { body, status: code } = answer;
  const begin = lasting(seen, code, requests, seconds);
  if (isStreamBody(body)) {
    const start: typeof body.start = (sink) => {
      sink.onClose(begin());
      body.start(sink);
    };
    return { ...answer, body: { start } };
  }
  if (isSocketBody(body)) {
    const open: typeof body.open = (socket) => {
      socket.signal.addEventListener("abort", begin(), { once: true });
      body.open(socket);
    };
    return { ...answer, body: { protocol: body.protocol, open } };
  }
  const bytes = body instanceof Uint8Array ? body.length : body.reduce((sum, { length }) => sum + length, 0);
  requests.answered(seen, { code, bytes, seconds: seconds() });
  return answer;
}

/**
 * Gives what counts that a stream begins, which gives what counts its end. What is kept while it is open must not share a
 * function with its answer: closures of one function keep all that any of them uses, and this would be the whole request.
 */
function lasting(
  seen: SeenRequest,
  code: number,
  requests: Metrics["requests"],
  seconds: () => number,
): () => () => void {
  return () => {
    const end = requests.lasting(seen);
    return () => {
      end();
      requests.answered(seen, { code, bytes: undefined, seconds: seconds() });
    };
  };
}

/**
 * Whether a connection is ended after this answer: HTTP/2 is dear, and open to who only pretends to use it.
 * Who shows a certificate, kube-apiserver above all, keeps the connection that all its users share.
 */
function isStranger(request: HttpRequest, status: number, user: User | undefined): boolean {
  if (request.httpVersion !== "2.0" || request.peerCertificate() !== undefined) return false;
  return status === 401 || user?.name === anonymousUser;
}

/** Whether a request has neither deadline nor seat: a watch, or the stream of a subresource. */
function lasts(request: HttpRequest, info: RequestInfo, { registry }: ServerRooms): boolean {
  if (isLongRunning(info) || request.webSocket === undefined) return isLongRunning(info);
  const resource = registry.table().find(info.apiGroup, info.apiVersion, info.resource);
  const found = resource?.definition.subresources.find((one) => one.name === info.subresource);
  return found?.kind === "stream";
}

async function passThrough(passage: Passage, rooms: ServerRooms & { readonly asked: Authorizer }): Promise<HttpAnswer> {
  const { info, warnings } = passage;
  const sent = await rooms.authentication.authenticate(passage.request);
  passage.user = sent.user;
  for (const warning of sent.warnings) warnings.add(warning);
  const asked = attributesOf(info, sent.user);
  const acting = actingUser(sent.request, {
    attributes: asked,
    assertMay: (attributes) => assertMayImpersonate(rooms.authorizer, attributes),
    forbidden: forbiddenFor,
  });
  const { user, impersonator, request } = isPromise(acting) ? await acting : acting;
  passage.user = user;
  passage.impersonator = impersonator;
  passage.request = request;
  const resource = resourceOf(info, rooms);
  const store = resource && rooms.registry.storeOf(resource.definition);
  const { verb, path } = info;
  const isLongRunning = lasts(request, info, rooms);
  const leave = rooms.flowControl.enter({ verb, path, groups: user.groups, isLongRunning, store });
  if (leave === undefined) return tooManyAnswer();
  try {
    const allowed = assertAllowed(rooms.asked, user === sent.user ? asked : attributesOf(info, user), request.uri);
    if (isPromise(allowed)) await allowed;
    return await route(passage, user, rooms);
  } finally {
    leave();
  }
}

function route(passage: Passage, user: User, rooms: ServerRooms): HttpAnswer | Promise<HttpAnswer> {
  return passage.info.isResourceRequest ? answerResource(passage, user, rooms) : answerOwn(passage, rooms);
}

/** What is about no resource. */
async function answerOwn(passage: Passage, rooms: ServerRooms): Promise<HttpAnswer> {
  const { request, info, query } = passage;
  const table = rooms.registry.table();
  const health = rooms.health.answer(info.path, query);
  if (health !== undefined) return health;
  const metrics = await rooms.metrics.answer({ method: request.method, path: info.path }, rooms.figures);
  if (metrics !== undefined) return await compressed(metrics, request);
  if (info.path === "/version")
    return whole(
      200,
      { "Content-Type": "application/json" },
      renderDocument(rooms.version, { ...plainJson, pretty: true }, { keepOrder: true }),
    );
  const openApi = await rooms.openApi.answer(request, table);
  if (openApi !== undefined) return openApi;
  const accept = request.header("accept");
  const found = answerDiscovery({ path: info.path, accept, ifNoneMatch: request.header("if-none-match") }, table);
  if (found === undefined) return unknownPath(rooms, info);
  if (found.document === undefined) return whole(found.status, found.headers, []);
  // A document that names its own type was asked for by that type.
  const type = found.headers["Content-Type"];
  const form = type === undefined ? formOf(passage) : ownForm(String(type));
  const headers = { "Content-Type": form.mediaType, ...found.headers };
  return whole(found.status, headers, renderDocument(found.document, form, { keepOrder: true }));
}

/** @throws StatusError */
function answerResource(passage: Passage, user: User, rooms: ServerRooms): HttpAnswer | Promise<HttpAnswer> {
  const { request, info, query } = passage;
  const resource = rooms.registry.table().find(info.apiGroup, info.apiVersion, info.resource);
  // Who is asked for is read without the slashes around it, where it lies is not.
  if (resource === undefined || request.path.startsWith("//")) return unknownPath(rooms, info);
  const answered = dispatchVerb(
    {
      http: request,
      info,
      query,
      resource,
      user,
      impersonator: passage.impersonator,
      auditId: passage.auditId,
      deadline: passage.deadline,
      warnings: passage.warnings,
    },
    rooms.tools,
  );
  return after(answered, (answer) => (answer === undefined ? notFoundAnswer() : compressed(answer, request)));
}

/** Answers 504 for a request that isn't done in its time; what it goes on doing is no longer waited for. */
function inTime(passage: Passage, work: Promise<HttpAnswer>): Promise<HttpAnswer> {
  const leftMs = passage.deadline - performance.now();
  if (leftMs > 2 ** 31) return work;
  return new Promise<HttpAnswer>((resolve, reject) => {
    const timer = setTimeout(() => resolve(timeoutAnswer()), leftMs);
    work.then(
      (answer) => {
        clearTimeout(timer);
        resolve(answer);
      },
      (error: unknown) => {
        clearTimeout(timer);
        reject(error);
      },
    );
  });
}

function ownForm(contentType: string): AnswerForm {
  return contentType.startsWith("application/yaml") ? { ...plainJson, mediaType: "application/yaml" } : plainJson;
}

/** The form of what the server says by itself: discovery, failures. */
function formOf(passage: Passage): AnswerForm {
  const { request, query } = passage;
  return negotiateAnswer(
    {
      accept: request.header("accept"),
      userAgent: request.header("user-agent"),
      prettyQuery: query.get("pretty")?.[0],
    },
    { table: false, partial: false, stream: false, ownDocument: true },
  );
}

function errorAnswer(
  error: unknown,
  request: HttpRequest,
  passage: Passage | undefined,
  rooms: ServerRooms,
): HttpAnswer {
  if (error instanceof StatusError) {
    if (error.cause !== undefined)
      rooms.log.error({ err: error.cause, auditId: passage?.auditId }, "answered with an error");
    return statusAnswer(error.status, passage);
  }
  if (error instanceof UnreadableRequest)
    return whole(error.code, { "Content-Type": "text/plain; charset=utf-8" }, [Buffer.from(error.text)]);
  if (error instanceof TextError) {
    if (error.cause !== undefined)
      rooms.log.error({ err: error.cause, auditId: passage?.auditId }, "answered with an error");
    return textAnswer(error.code, `${error.text}\n`);
  }
  rooms.log.error(
    { err: error, method: request.method, uri: request.uri, auditId: passage?.auditId },
    "a request panicked",
  );
  return textAnswer(500, "This request caused apiserver to panic. Look in the logs for details.\n");
}

function statusAnswer(status: Status, passage: Passage | undefined): HttpAnswer {
  let isProtobuf = false;
  let form: AnswerForm;
  try {
    if (passage === undefined) throw new StatusError(status);
    form = formOf(passage);
  } catch (error) {
    if (!(error instanceof StatusError)) throw error;
    // A client that reads nothing of ours still gets the reason: as protobuf, or indented, as JSON.
    isProtobuf = passage !== undefined && takesProtobuf(passage.request.header("accept"));
    form = { ...plainJson, pretty: true };
  }
  const headers: HttpHeaders = {
    "Content-Type": isProtobuf ? protobufMediaType : form.mediaType,
    ...(status.code === 403 ? { "X-Content-Type-Options": "nosniff" } : {}),
    ...retryAfterHeader(status),
  };
  return whole(status.code, headers, isProtobuf ? [statusProtobuf(status)] : renderStatus(status, form));
}

function textAnswer(status: number, text: string): HttpAnswer {
  const headers = { "Content-Type": "text/plain; charset=utf-8", "X-Content-Type-Options": "nosniff" };
  return whole(status, headers, [Buffer.from(text)]);
}

/**
 * @throws StatusError 503 while the path may yet come to be: a client that hears 404 believes that it isn't
 *   there. A watch gets 429: after it client-go goes on where it was, after 503 it lists.
 */
function unknownPath({ isReady }: ServerRooms, { verb }: RequestInfo): HttpAnswer {
  if (isReady()) return notFoundAnswer();
  const why = "the request has been made before all known HTTP paths have been installed, please try again";
  if (verb === "watch") throw tooManyRequests(why, watchRetrySeconds);
  throw serviceUnavailable(why, installedSeconds);
}

function notFoundAnswer(): HttpAnswer {
  return textAnswer(404, "404 page not found\n");
}

function timeoutAnswer(): HttpAnswer {
  const text =
    '{"metadata":{},"status":"Failure","message":"Timeout: request did not complete within the allotted timeout",' +
    '"reason":"Timeout","details":{},"code":504}';
  return whole(504, { "Content-Type": "text/plain; charset=utf-8" }, [Buffer.from(text)]);
}

function compressed(answer: HttpAnswer, request: HttpRequest): HttpAnswer | Promise<HttpAnswer> {
  const { body } = answer;
  if (isStreamBody(body) || isSocketBody(body)) return answer;
  const buffers = body instanceof Uint8Array ? [body] : body;
  const packing = compressIfAsked(buffers, request.header("accept-encoding"));
  if (packing === undefined) return answer;
  return packing.then((packed) => ({
    ...answer,
    headers: { ...answer.headers, ...packed.headers },
    body: packed.buffers,
  }));
}

function finish(answer: HttpAnswer, headers: HttpHeaders): HttpAnswer {
  return { ...answer, headers: { ...headers, ...answer.headers } };
}

/** What Kubernetes' filters add to every answer. What can't be named fails before the one that sets Cache-Control. */
function filterHeaders(auditId: string, warnings: Warnings, isNamed: boolean): HttpHeaders {
  const told = warnings.headers();
  return {
    "Audit-Id": auditId,
    ...(isNamed ? { "Cache-Control": "no-cache, private" } : {}),
    ...(told.length > 0 ? { Warning: told } : {}),
  };
}

function whole(status: number, headers: HttpHeaders, body: readonly Uint8Array[]): HttpAnswer {
  return { status, headers, body };
}
