/**
 * Connect: a request to a custom subresource, answered by the store as it came.
 *
 * The object that it belongs to is read first, where it can be: what isn't there, or isn't the user's,
 * answers 404, and the store need not look.
 * Source: apiserver pkg/endpoints/handlers/rest.go (ConnectResource).
 */
import type { HttpAnswer } from "../apimachinery/http.ts";
import type { SubresourceDefinition } from "../apimachinery/resource.ts";
import { internalError, notFound } from "../apimachinery/status.ts";
import type { InvokeCall, StoredObject } from "../registry/registry.ts";
import { sightOf } from "./ownership.ts";
import { presentInSlices } from "./present.ts";
import { callOf, keyOf, resourceWord, type VerbRequest, type VerbTools } from "./verb-request.ts";

/** What a request to a subresource says. */
export type ConnectBody = Pick<InvokeCall, "httpMethod" | "query" | "contentType" | "body" | "dryRun">;

/**
 * Has the store answer a request to a unary subresource.
 * @throws StatusError 404 without the object, 500 for an answer that is none, and what the store answers.
 */
export async function connect(
  request: VerbRequest,
  tools: VerbTools,
  subresource: SubresourceDefinition,
  sent: ConnectBody,
): Promise<HttpAnswer> {
  const call = await connectCall(request, tools, subresource, sent);
  const answer = await tools.registry.client(request.resource.definition).invoke(call, callOf(request));
  for (const warning of answer.warnings) request.warn(warning);
  const status = answer.status || 200;
  const isAnswer = (status >= 200 && status < 300) || (status >= 400 && status < 600);
  if (!isAnswer) throw internalError(`the store answered ${status}`);
  return { status, headers: { "Content-Type": answer.contentType || "application/json" }, body: answer.body };
}

/** Gives what the store is asked. @throws StatusError 404 without the object. */
export async function connectCall(
  request: VerbRequest,
  tools: VerbTools,
  subresource: SubresourceDefinition,
  sent: ConnectBody,
): Promise<InvokeCall> {
  const parent = await parentOf(request, tools);
  return { ...sent, key: keyOf(request), subresource: subresource.name, subpath: subpathOf(request), parent };
}

/** Reads the object; undefined where objects can't be read. */
async function parentOf(request: VerbRequest, tools: VerbTools): Promise<StoredObject | undefined> {
  const { definition } = request.resource;
  if (!definition.verbs.includes("get")) return undefined;
  const parent = await tools.registry.client(definition).get(keyOf(request), { at: "latest" }, callOf(request));
  const gone = () => notFound(resourceWord(request.resource), request.info.name);
  if (parent === undefined) throw gone();
  const sees = await sightOf(request, tools);
  if (sees?.(await presentInSlices(tools.schemaOf, request.resource, parent)) === false) throw gone();
  return parent;
}

/** What follows the subresource in the path, as it was sent but for its escapes. */
function subpathOf({ info }: VerbRequest): string {
  const [plural, name, subresource, ...rest] = info.parts;
  const head = `/${plural}/${name}/${subresource}`;
  const at = info.path.indexOf(`${head}/`);
  return at < 0 ? rest.map((part) => `/${part}`).join("") : info.path.slice(at + head.length);
}
