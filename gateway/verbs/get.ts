/** Get: one object, at least as new as asked: from the copy if that is fresh enough. Source: apiserver pkg/endpoints/handlers/get.go. */
import { goQuote, parseGoUint64 } from "../apimachinery/go-text.ts";
import type { ObjectView } from "../apimachinery/object.ts";
import type { GetOptions } from "../apimachinery/options.ts";
import { after, isPromise } from "../apimachinery/promise.ts";
import { notFound, unknownError } from "../apimachinery/status.ts";
import type { ReadAt, StoredObject } from "../registry/registry.ts";
import { keyOf as cacheKeyOf, type State } from "../watchcache/watchcache.ts";
import { sightOf } from "./ownership.ts";
import { presentInSlices } from "./present.ts";
import { reach } from "./reach.ts";
import { callOf, keyOf, resourceWord, type VerbRequest, type VerbTools } from "./verb-request.ts";

/**
 * Reads the object that the URL names.
 * @throws StatusError 404; 500 for a resourceVersion that is no number; 504 for one that isn't reached.
 */
export async function get(request: VerbRequest, tools: VerbTools, options: GetOptions): Promise<ObjectView> {
  const viewing = viewAt(request, tools, readAt(options.resourceVersion));
  const view = isPromise(viewing) ? await viewing : viewing;
  const sight = sightOf(request, tools);
  const sees = sight && (await sight);
  if (sees?.(view) === false) throw notFound(resourceWord(request.resource), request.info.name);
  return view;
}

function viewAt(request: VerbRequest, tools: VerbTools, at: ReadAt): ObjectView | Promise<ObjectView> {
  const { definition } = request.resource;
  // A copy that is made of lists would list everything anew for this one object.
  const isAtStore = definition.polledWatchMs > 0 && at.at === "latest";
  const reading = isAtStore ? undefined : tools.watchcache.read(definition, at);
  return after(reading, (state) => (state === undefined ? viewAtStore(request, tools, at) : viewIn(state, request)));
}

function viewIn({ objects }: State, { info, resource }: VerbRequest): ObjectView | Promise<ObjectView> {
  const object = objects.get(cacheKeyOf(info));
  if (object === undefined) throw notFound(resourceWord(resource), info.name);
  return after(object.prepare(resource.version), () => object.view(resource.version));
}

async function viewAtStore(request: VerbRequest, tools: VerbTools, at: ReadAt): Promise<ObjectView> {
  const { definition } = request.resource;
  if (at.at === "notOlderThan") await reach(tools.registry.client(definition), request, at.revision);
  return await presentInSlices(tools.schemaOf, request.resource, await read(request, tools, at));
}

/** Reads the stored object that the URL names. @throws StatusError 404. */
export async function read(request: VerbRequest, tools: VerbTools, at: ReadAt): Promise<StoredObject> {
  const client = tools.registry.client(request.resource.definition);
  const stored = await client.get(keyOf(request), at, callOf(request));
  if (stored === undefined) throw notFound(resourceWord(request.resource), request.info.name);
  return stored;
}

function readAt(resourceVersion: string): ReadAt {
  if (resourceVersion === "") return { at: "latest" };
  if (resourceVersion === "0") return { at: "any" };
  try {
    return { at: "notOlderThan", revision: parseGoUint64(resourceVersion) };
  } catch (error) {
    throw unknownError(`resourceVersion: Invalid value: ${goQuote(resourceVersion)}: ${(error as Error).message}`);
  }
}
