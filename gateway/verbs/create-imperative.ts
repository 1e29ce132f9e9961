/**
 * Create of an imperative kind: the object is a question that the store answers, and nothing is kept.
 *
 * The body is read as any other: pruned, defaulted and validated by its schema. Its metadata stays
 * as it was sent, but for its namespace and for what no client may set: what isn't kept has no life.
 * Source: apiserver pkg/endpoints/handlers/create.go; kubernetes pkg/registry/authentication/tokenreview.
 */
import { formatGroupVersion } from "../apimachinery/gvk.ts";
import { isJsonObject, jsonParser } from "../apimachinery/json.ts";
import { type KubeObject, nameOf, type ObjectView } from "../apimachinery/object.ts";
import type { WriteOptions } from "../apimachinery/options.ts";
import { internalError } from "../apimachinery/status.ts";
import { acceptForCreate } from "../lifecycle/lifecycle.ts";
import { admitWrite } from "./hooks.ts";
import { takeBody } from "./intake.ts";
import { runSized } from "./present.ts";
import { callOf, type RequestBody, type VerbRequest, type VerbTools } from "./verb-request.ts";
import { assertValid, encodeForStore, scopeOf, viewOf } from "./write.ts";

/** What the store made of it. */
export interface Answered {
  /** The HTTP status, 2xx. */
  readonly status: number;
  readonly view: ObjectView;
}

/**
 * Has the store answer the object of the body.
 * @throws StatusError 400 and 422 for what is wrong with it, and what the store answers.
 */
export async function createImperative(
  request: VerbRequest,
  tools: VerbTools,
  options: WriteOptions,
  body: RequestBody,
): Promise<Answered> {
  const sent = await takeBody(request, tools, body, options.fieldValidation);
  const scope = scopeOf(request, nameOf(sent));
  const { object, warnings } = acceptForCreate(sent, scope);
  for (const warning of warnings) request.warn(warning);
  await admitWrite(request, tools, { operation: "CREATE", next: object });
  await assertValid(request, tools, scope, object, undefined, []);
  const { definition } = request.resource;
  const json = await encodeForStore(request, object);
  const { dryRun } = options;
  // A store that knows no dry run would do it: then what was checked is all that can be said.
  if (dryRun && !definition.capabilities.dryRun) return { status: 201, view: viewOf(object) };
  const call = {
    key: { namespace: request.info.namespace, name: "" },
    subresource: "",
    httpMethod: "POST",
    query: new Map(),
    subpath: "",
    contentType: "application/json",
    body: json,
    dryRun,
    parent: undefined,
  };
  const answer = await tools.registry.client(definition).invoke(call, callOf(request));
  for (const warning of answer.warnings) request.warn(warning);
  const status = answer.status || 201;
  if (status < 200 || status > 299) throw internalError(`the store answered ${status} for an object`);
  return { status, view: viewOf(await answeredObject(request, answer.body)) };
}

/** The answer as the version that was asked. @throws StatusError 500 if it is no object. */
async function answeredObject(request: VerbRequest, body: Uint8Array): Promise<KubeObject> {
  const { definition, version } = request.resource;
  const { value } = await runSized(jsonParser(body), body.length).catch((cause: unknown) => {
    throw internalError("the store failed", { cause });
  });
  if (!isJsonObject(value)) throw internalError("the store failed", { cause: new Error("its answer is no object") });
  value["apiVersion"] = formatGroupVersion(definition.group, version.name);
  value["kind"] = definition.kind;
  return value;
}
