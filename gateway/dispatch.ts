/**
 * From a request for a served resource to its verb and back to bytes: which options, which body,
 * which form.
 *
 * In Kubernetes' order: the form of the answer is negotiated first, then the body's language, then
 * the body is read, then the options, then the verb runs.
 * Source: apiextensions-apiserver pkg/apiserver/customresource_handler.go; apiserver
 * pkg/endpoints/handlers.
 */
import { type AnswerForm, plainJson } from "./apimachinery/answer-form.ts";
import { goTypeWord } from "./apimachinery/go-type.ts";
import { formatGroupVersion } from "./apimachinery/gvk.ts";
import { type HttpAnswer, type HttpRequest, withSignalOf } from "./apimachinery/http.ts";
import { isJsonObject, type JsonObject, JsonSyntaxError } from "./apimachinery/json.ts";
import type { ObjectView } from "./apimachinery/object.ts";
import type { WriteOptions } from "./apimachinery/options.ts";
import { after } from "./apimachinery/promise.ts";
import type { RequestInfo } from "./apimachinery/request-info.ts";
import {
  isImperative,
  type ResourceVerb,
  type ScalePaths,
  type ServedResource,
  type SubresourceDefinition,
} from "./apimachinery/resource.ts";
import { badRequest, methodNotSupported, notFound, unknownError, unsupportedMediaType } from "./apimachinery/status.ts";
import type { User } from "./apimachinery/user.ts";
import { YamlSyntaxError } from "./apimachinery/yaml.ts";
import { deprecationWarning } from "./discovery/discovery.ts";
import { assertNameInPath } from "./lifecycle/lifecycle.ts";
import { bodyFormat, decodeJson, decodeLoosely, decodeObject, negotiateAnswer } from "./negotiation/negotiation.ts";
import { type PatchType, patchFaults, patchMediaTypes, patchTypeOf } from "./patch/patch.ts";
import { renderDocument, renderList, renderObject, successStatus } from "./render/render.ts";
import {
  fieldManagerOf,
  parseCreateOptions,
  parseDeleteOptions,
  parseGetOptions,
  parseListOptions,
  parsePatchOptions,
  parseTableOptions,
  parseUpdateOptions,
  type Query,
  type Warnings,
} from "./request/request.ts";
import * as verbs from "./verbs/verbs.ts";

/** One authorized request for a served resource. */
export interface DispatchRequest {
  readonly http: HttpRequest;
  readonly info: RequestInfo;
  readonly query: Query;
  readonly resource: ServedResource;
  readonly user: User;
  /** Who acts as the user. Undefined: nobody else. */
  readonly impersonator: User | undefined;
  readonly auditId: string;
  readonly deadline: number;
  readonly warnings: Warnings;
}

/** A write takes at most this long, as kube-apiserver's handlers. */
const maxWriteMs = 34_000;

/**
 * Answers, or gives undefined if nothing is served at this path.
 * @throws StatusError
 */
export function dispatchVerb(given: DispatchRequest, tools: verbs.VerbTools): Promise<HttpAnswer> | undefined {
  const { info, resource, warnings } = given;
  const { definition } = resource;
  const isNamespacedRequest = info.namespace !== "";
  if (!definition.namespaced && isNamespacedRequest) return undefined;
  const mayCrossNamespaces = info.verb === "list" || info.verb === "watch";
  if (definition.namespaced && !isNamespacedRequest && !mayCrossNamespaces) return undefined;
  tools.watchcache.assertBelieved(definition);
  const warning = deprecationWarning(resource);
  if (warning !== undefined) warnings.add(warning);
  const subresource = definition.subresources.find((one) => one.name === info.subresource);
  if (subresource !== undefined) return answerConnect(given, tools, subresource);
  assertServed(given);
  switch (info.verb) {
    case "get":
      return answerGet(given, tools);
    case "list":
      return answerList(given, tools);
    case "watch":
      return answerWatch(given, tools);
    case "create":
      return answerCreate(given, tools);
    case "update":
      return answerUpdate(given, tools);
    case "patch":
      return answerPatch(given, tools);
    case "delete":
      return answerDelete(given, tools);
    case "deletecollection":
      return answerDeleteCollection(given, tools);
    default:
      throw methodNotSupported(verbs.resourceWord(resource), info.verb);
  }
}

/** @throws StatusError 404 for a subresource that isn't there, 405 for a verb that isn't offered, 400 for a missing name. */
function assertServed({ http, info, resource }: DispatchRequest): void {
  const { definition, version } = resource;
  const word = verbs.resourceWord(resource);
  const isSubresource = info.subresource !== "";
  const exists =
    (info.subresource === "status" && version.status) || (info.subresource === "scale" && version.scale !== undefined);
  if (isSubresource && !exists) throw notFound(word, info.name);
  const isKnown = (definition.verbs as readonly string[]).includes(info.verb);
  if (!isKnown) throw methodNotSupported(word, info.verb);
  if (isSubresource && !["get", "update", "patch"].includes(info.verb)) throw methodNotSupported(word, info.verb);
  if ((["get", "update", "patch", "delete"] as ResourceVerb[]).includes(info.verb as ResourceVerb)) {
    if (info.verb === "patch") patchTypeFor(http);
    if (info.name === "") throw badRequest("name must be provided");
    assertNameInPath(info.name);
  }
}

/** @throws StatusError 415 for what is no patch of custom resources. */
function patchTypeFor(http: HttpRequest): Exclude<PatchType, "strategic"> {
  const type = patchTypeOf(http.header("content-type"));
  if (type !== undefined && type !== "strategic") return type;
  throw unsupportedMediaType(
    `the body of the request was in an unknown format - accepted media types include: ${patchMediaTypes.join(", ")}`,
  );
}

/**
 * `answersItself`: the answer comes in the store's language, not in one that the client chose. `anyForm`: also in
 * one that only other objects have.
 */
function verbRequest(
  given: DispatchRequest,
  scope: { list?: boolean; stream?: boolean; answersItself?: boolean; anyForm?: boolean } = {},
): verbs.VerbRequest {
  const { http, info, query, resource, user, impersonator, auditId, warnings } = given;
  const hasForms = info.subresource !== "scale" || scope.anyForm === true;
  const asked = {
    accept: http.header("accept"),
    userAgent: http.header("user-agent"),
    prettyQuery: query.get("pretty")?.[0],
  };
  const form =
    scope.answersItself === true
      ? plainJson
      : negotiateAnswer(asked, { table: hasForms, partial: hasForms, stream: scope.stream === true });
  const isWrite = !["get", "list", "watch"].includes(info.verb);
  const request = {
    info,
    resource,
    user,
    impersonator,
    auditId,
    userAgent: http.header("user-agent") ?? "",
    form,
    includeObject: form.as === "Table" && scope.anyForm !== true ? parseTableOptions(query) : "Metadata",
    deadline: isWrite ? Math.min(given.deadline, performance.now() + maxWriteMs) : given.deadline,
    warn: (text: string) => warnings.add(text),
  };
  return withSignalOf(request, http);
}

/** @throws StatusError 405 for another method, 400 for a dry run that the store doesn't declare, 415, and what the store answers. */
async function answerConnect(
  given: DispatchRequest,
  tools: verbs.VerbTools,
  subresource: SubresourceDefinition,
): Promise<HttpAnswer> {
  const { http, info, query, resource } = given;
  assertNameInPath(info.name);
  if (!subresource.methods.includes(http.method)) throw methodNotSupported(verbs.resourceWord(resource), info.verb);
  if (query.has("dryRun") && !resource.definition.capabilities.dryRun) throw badRequest("dryRun is not supported");
  const request = verbRequest(given, { answersItself: true });
  if (subresource.kind === "stream") {
    if (http.webSocket === undefined) throw badRequest("Upgrade request required");
    const opening = { httpMethod: http.method, query, contentType: "", body: Buffer.alloc(0), dryRun: false };
    return await verbs.stream(request, tools, subresource, opening, http.webSocket);
  }
  const { dryRun } = parseCreateOptions(new Map([...query].filter(([name]) => name === "dryRun")));
  const body = await http.body();
  // A body without a type is JSON, as for objects.
  const contentType = body.length === 0 ? "" : (http.header("content-type") ?? "application/json");
  const mediaType = contentType.split(";")[0]?.trim().toLowerCase() ?? "";
  if (body.length > 0 && !subresource.acceptedTypes.includes(mediaType)) {
    throw unsupportedMediaType(
      `the body of the request was in an unknown format - accepted media types include: ${subresource.acceptedTypes.join(", ")}`,
    );
  }
  return await verbs.connect(request, tools, subresource, {
    httpMethod: http.method,
    query,
    contentType,
    body,
    dryRun,
  });
}

async function answerGet(given: DispatchRequest, tools: verbs.VerbTools): Promise<HttpAnswer> {
  const paths = given.resource.version.scale;
  if (given.info.subresource === "scale" && paths !== undefined) return await answerGetScale(given, tools, paths);
  const request = verbRequest(given);
  const view = await verbs.get(request, tools, parseGetOptions(given.query));
  return objectAnswer(200, view, request, tools);
}

/** A form that no Scale has is refused only when there is one; one that nothing has, at once. */
async function answerGetScale(given: DispatchRequest, tools: verbs.VerbTools, paths: ScalePaths): Promise<HttpAnswer> {
  const request = verbRequest(given, { anyForm: true });
  const view = await verbs.get(request, tools, parseGetOptions(given.query));
  const scale = verbs.scaleOf(view.value, paths);
  return documentAnswer(200, scale, verbRequest(given).form);
}

async function answerList(given: DispatchRequest, tools: verbs.VerbTools): Promise<HttpAnswer> {
  const request = verbRequest(given, { list: true });
  const result = await verbs.list(request, tools, parseListOptions(given.query));
  return await listAnswer(result, request, tools);
}

async function answerWatch(given: DispatchRequest, tools: verbs.VerbTools): Promise<HttpAnswer> {
  const { http, query } = given;
  const answer = await verbs.watch(verbRequest(given, { stream: true }), tools, parseListOptions(query));
  if (http.webSocket === undefined) return answer;
  const [protocol = ""] = http.webSocket;
  return verbs.overWebSocket(answer, { origin: http.header("origin"), protocol });
}

async function answerCreate(given: DispatchRequest, tools: verbs.VerbTools): Promise<HttpAnswer> {
  const request = verbRequest(given);
  const body = await objectBody(given);
  const options = managed(given, body.options(parseCreateOptions));
  if (isImperative(given.resource.definition)) {
    const answered = await verbs.createImperative(request, tools, options, await body.decode());
    return await objectAnswer(answered.status, answered.view, request, tools);
  }
  return await objectAnswer(201, await verbs.create(request, tools, options, await body.decode()), request, tools);
}

async function answerUpdate(given: DispatchRequest, tools: verbs.VerbTools): Promise<HttpAnswer> {
  const request = verbRequest(given);
  if (given.info.subresource === "scale") {
    const body = await scaleBody(given);
    const options = managed(given, parseUpdateOptions(given.query));
    const scale = verbs.takeScale(request, body, options.fieldValidation);
    const written = await verbs.updateScale(request, tools, options, () => scale);
    return documentAnswer(200, written, request.form);
  }
  const body = await objectBody(given);
  const options = managed(given, body.options(parseUpdateOptions));
  const updated = await verbs.update(request, tools, options, await body.decode());
  return await objectAnswer(updated.created ? 201 : 200, updated.view, request, tools);
}

async function answerPatch(given: DispatchRequest, tools: verbs.VerbTools): Promise<HttpAnswer> {
  const { http, query, info } = given;
  const type = patchTypeFor(http);
  if (type === "apply") return await answerApply(given, tools);
  const request = verbRequest(given);
  const bytes = await http.body();
  const options = managed(given, parsePatchOptions(query, false));
  const body = { type, ...(await patchValue(bytes, type)), bytes: bytes.length };
  if (info.subresource === "scale")
    return documentAnswer(200, await verbs.patchScale(request, tools, options, body), request.form);
  return await objectAnswer(200, await verbs.patch(request, tools, options, body), request, tools);
}

async function answerApply(given: DispatchRequest, tools: verbs.VerbTools): Promise<HttpAnswer> {
  const { http, query, info } = given;
  const request = verbRequest(given);
  const bytes = await http.body();
  const options = parsePatchOptions(query, true);
  const body = { ...(await applyValue(bytes)), bytes: bytes.length };
  if (info.subresource === "scale")
    return documentAnswer(200, await verbs.applyScale(request, tools, options, body), request.form);
  const { created, view } = await verbs.apply(request, tools, options, body);
  return await objectAnswer(created ? 201 : 200, view, request, tools);
}

/** An apply patch is YAML, and so JSON too. Nothing at all is an object without fields. */
async function applyValue(bytes: Buffer): Promise<{ value: JsonObject; strictErrors: readonly string[] }> {
  const { value, strictErrors } = await decodeLoosely(bytes, "yaml").catch((error: unknown) => {
    if (!(error instanceof YamlSyntaxError) && !(error instanceof JsonSyntaxError)) throw error;
    throw badRequest(`error decoding YAML: error converting YAML to JSON: ${error.message}`);
  });
  if (value === null) return { value: {}, strictErrors };
  if (isJsonObject(value)) return { value, strictErrors };
  const why = `json: cannot unmarshal ${goTypeWord(value)} into Go value of type map[string]interface {}`;
  throw badRequest(`error decoding YAML: error unmarshaling JSON: while decoding JSON: ${why}`);
}

/** Gives the options with the manager that stands for the client if none was named. */
function managed<O extends WriteOptions>({ http }: DispatchRequest, options: O): O {
  return { ...options, fieldManager: fieldManagerOf(options.fieldManager, http.header("user-agent") ?? "") };
}

async function patchValue(bytes: Buffer, type: "json" | "merge") {
  try {
    const { value, duplicates } = await decodeJson(bytes);
    return { value, strictErrors: patchFaults(type, value, duplicates) };
  } catch (error) {
    if (!(error instanceof JsonSyntaxError)) throw error;
    throw badRequest(`error decoding patch: ${error.message}`);
  }
}

async function answerDelete(given: DispatchRequest, tools: verbs.VerbTools): Promise<HttpAnswer> {
  const request = verbRequest(given);
  const deleted = await verbs.remove(request, tools, await deleteOptions(given));
  if (!deleted.removed) return await objectAnswer(deleted.status, deleted.view, request, tools);
  const { group, plural } = given.resource.definition;
  return documentAnswer(
    200,
    successStatus({ name: deleted.name, group, kind: plural, uid: deleted.uid }),
    request.form,
  );
}

async function answerDeleteCollection(given: DispatchRequest, tools: verbs.VerbTools): Promise<HttpAnswer> {
  const request = verbRequest(given, { list: true });
  const options = await deleteOptions(given);
  const query = new Map([...given.query].filter(([name]) => name !== "watch"));
  return await listAnswer(
    await verbs.removeCollection(request, tools, parseListOptions(query), options),
    request,
    tools,
  );
}

async function deleteOptions({ http, query }: DispatchRequest) {
  const bytes = await http.body();
  if (bytes.length === 0) return parseDeleteOptions(query, undefined);
  const format = bodyFormat(http.header("content-type"));
  try {
    const { value } = await decodeLoosely(bytes, format);
    return parseDeleteOptions(query, format === "yaml" && isJsonObject(value) ? keysInOrder(value) : value);
  } catch (error) {
    if (error instanceof JsonSyntaxError)
      throw badRequest(`couldn't get version/kind; json parse error: ${error.message}`);
    if (error instanceof YamlSyntaxError) throw badRequest(error.message);
    throw error;
  }
}

/** YAML comes to Go's decoder with its keys in order, and of keys that differ in case the last one counts. */
function keysInOrder(value: JsonObject): JsonObject {
  return Object.fromEntries(Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1)));
}

/** Reads the bytes of an object's body; options come before they are decoded. */
async function objectBody({ http, query, resource }: DispatchRequest) {
  const format = bodyFormat(http.header("content-type"));
  const bytes = await http.body();
  const { definition, version } = resource;
  return {
    options: <O>(parse: (query: Query) => O): O => parse(query),
    decode: () =>
      decodeObject(bytes, format, { group: definition.group, version: version.name, kind: definition.kind }),
  };
}

async function scaleBody({ http }: DispatchRequest): Promise<verbs.ScaleBody> {
  const format = bodyFormat(http.header("content-type"));
  try {
    return await decodeLoosely(await http.body(), format);
  } catch (error) {
    if (!(error instanceof JsonSyntaxError) && !(error instanceof YamlSyntaxError)) throw error;
    return { value: undefined, strictErrors: [] };
  }
}

function objectAnswer(
  status: number,
  view: ObjectView,
  request: verbs.VerbRequest,
  tools: verbs.VerbTools,
): HttpAnswer | Promise<HttpAnswer> {
  const { form, includeObject } = request;
  // Of a type compiled into it kube-apiserver says so kindly; of a custom resource it gives its own fault away.
  if (form.as === "PartialObjectMetadataList") throw unknownError("content is not a list");
  const rendered = after(verbs.tabulate(request, tools, [view]), (rows) =>
    renderObject(view, form, tools.columnsOf(request.resource), { includeObject, now: tools.clock(), rows }),
  );
  return after(rendered, (body) => ({ status, headers: { "Content-Type": form.mediaType }, body }));
}

async function listAnswer(
  result: verbs.ListResult,
  request: verbs.VerbRequest,
  tools: verbs.VerbTools,
): Promise<HttpAnswer> {
  const { definition, version } = request.resource;
  const list = {
    apiVersion: formatGroupVersion(definition.group, version.name),
    listKind: definition.listKind,
    items: result.items,
    itemsJson: result.itemsJson,
    resourceVersion: result.resourceVersion,
    continueToken: result.continueToken,
    remainingItemCount: result.remainingItemCount,
  };
  const rows = await verbs.tabulate(request, tools, list.items);
  const options = { includeObject: request.includeObject, now: tools.clock(), rows };
  const body = await renderList(list, request.form, tools.columnsOf(request.resource), options);
  return { status: 200, headers: { "Content-Type": request.form.mediaType }, body };
}

function documentAnswer(status: number, document: JsonObject, form: AnswerForm): HttpAnswer {
  const body = renderDocument(document, { ...form, as: "" }, { keepOrder: true });
  return { status, headers: { "Content-Type": form.mediaType }, body };
}
