/**
 * List: the objects of a collection at one revision, in pages if a limit is given.
 *
 * A store's pages are hints: it may give more than asked and know nothing of selectors. Pages of
 * ours are cut by key, and a token names the store's page and the last key that was given.
 * Source: apiserver pkg/registry/generic/registry, pkg/storage/etcd3/store.go.
 */
import { goQuote, parseGoUint64 } from "../apimachinery/go-text.ts";
import type { ItemForm } from "../apimachinery/item-form.ts";
import type { ObjectView } from "../apimachinery/object.ts";
import type { ListOptions } from "../apimachinery/options.ts";
import { badRequest, expired, StatusError } from "../apimachinery/status.ts";
import { createTurns } from "../apimachinery/steps.ts";
import type { ListCall, ListPage, ReadAt, ResourceClient, StoredObject } from "../registry/registry.ts";
import { itemForm } from "../render/render.ts";
import { compareKeys, type KeyRange, type State } from "../watchcache/watchcache.ts";
import { type ContinueToken, formatContinueToken, parseContinueToken } from "./continue-token.ts";
import { sightOf } from "./ownership.ts";
import { presentInSlices } from "./present.ts";
import { reach } from "./reach.ts";
import { keyRange, parseSelection, type Selection } from "./selection.ts";
import { isTabulated } from "./tabulate.ts";
import { callOf, type VerbRequest, type VerbTools } from "./verb-request.ts";

/** Objects asked of a store at once, so that one page is a few messages and memory stays small. */
const storePage = 500;
/** Objects of the copy between two looks at the clock. */
const checkEvery = 64;
const noToken = new Uint8Array();

/** What a list gives. */
export interface ListResult {
  /** Empty if there is `itemsJson`. */
  readonly items: readonly ObjectView[];
  /** As the request's form shows them, with commas between, where nobody looks at an item: the copy has them joined. */
  readonly itemsJson?: readonly Uint8Array[];
  /** The same objects as they lie in the store, for deletecollection. */
  readonly stored: readonly StoredObject[];
  readonly resourceVersion: string;
  /** `""`: nothing is left. */
  readonly continueToken: string;
  /** Undefined with selectors, on the last page, and where the store doesn't count. */
  readonly remainingItemCount: bigint | undefined;
}

/**
 * Lists what the URL and the options name.
 * @throws StatusError 400 for selectors and tokens that can't be read, 410 for history that is gone,
 *   504 for a revision that is not reached.
 */
export async function list(request: VerbRequest, tools: VerbTools, options: ListOptions): Promise<ListResult> {
  const selection = parseSelection(request, options, await sightOf(request, tools));
  const token = options.continue === "" ? undefined : parseContinueToken(options.continue);
  if (token !== undefined && options.resourceVersion !== "" && options.resourceVersion !== "0") {
    throw badRequest("specifying resource version is not allowed when using continue");
  }
  const { definition } = request.resource;
  const client = tools.registry.client(definition);
  // "Any state" asks for what is at hand, and that is all of it; one name is one page.
  const limited = options.resourceVersion === "0" || isOfOne(request, token) ? 0 : options.limit;
  const read = token === undefined ? readAt(options, limited) : readOfToken(token);
  const state = await tools.watchcache.read(definition, read);
  if (state !== undefined) {
    const revision = read.at === "exact" ? read.revision : state.revision;
    const page = { limit: limited, token };
    const form = selection.isEverything ? sharedForm(request, tools) : undefined;
    if (form !== undefined) return await listJoined(request, tools, form, { ...state, revision }, page);
    return await listState(request, { ...state, revision }, selection, page);
  }
  // Without snapshots two pages could not be of one state: then the whole list is one page.
  const { snapshotList: canPage, exactRead } = definition.capabilities;
  const limit = canPage ? limited : 0;
  if (read.at === "notOlderThan" || (read.at === "exact" && token === undefined))
    await reach(client, request, read.revision);
  // A store that reads no earlier state is asked for that of now, which may still be the one.
  const wanted = read.at === "exact" && !exactRead ? read.revision : undefined;

  const items: ObjectView[] = [];
  const stored: StoredObject[] = [];
  let pageToken: Uint8Array = token?.storeToken ?? noToken;
  let afterKey = token?.after ?? "";
  let at: ReadAt = wanted === undefined ? read : { at: "latest" };
  let revision: bigint | undefined;
  const turnIfDue = createTurns();
  for (;;) {
    const asked = limit === 0 ? storePage : Math.min(limit, storePage);
    const page = await fetchPage(client, request, { read: at, limit: asked, continueToken: pageToken }, token);
    if (wanted !== undefined && page.revision !== wanted) throw tooOld(token);
    revision ??= page.revision;
    const fresh = page.items.filter((item) => compareKeys(listKey(request, item), afterKey) > 0);
    for (let index = 0; index < fresh.length; index++) {
      const item = fresh[index] as StoredObject;
      if (!selection.matchesKey(item)) continue;
      const view = await presentInSlices(tools.schemaOf, request.resource, item);
      await turnIfDue();
      if (!selection.matches(item, view)) continue;
      items.push(view);
      stored.push(item);
      const left = fresh.length - index - 1;
      if (limit === 0 || items.length < limit || (left === 0 && page.continueToken.length === 0)) continue;
      const isPageDone = left === 0;
      return {
        items,
        stored,
        resourceVersion: String(revision),
        continueToken: formatContinueToken({
          revision,
          after: listKey(request, item),
          storeToken: isPageDone ? page.continueToken : pageToken,
        }),
        remainingItemCount:
          selection.isEverything && page.remaining !== undefined ? page.remaining + BigInt(left) : undefined,
      };
    }
    if (page.continueToken.length === 0) break;
    afterKey = fresh.length > 0 ? listKey(request, fresh[fresh.length - 1] as StoredObject) : afterKey;
    pageToken = page.continueToken;
    if (canPage && exactRead) at = { at: "exact", revision };
  }
  return { items, stored, resourceVersion: String(revision), continueToken: "", remainingItemCount: undefined };
}

/** Where a page of the copy begins and how long it is. `limit` 0: it is the whole list. */
interface Page {
  readonly limit: number;
  readonly token: ContinueToken | undefined;
}

/** Gives how items are shown to whoever asks for them in the request's form; undefined: somebody looks at each. */
function sharedForm(request: VerbRequest, tools: VerbTools): ItemForm | undefined {
  if (request.info.verb !== "list" || isTabulated(request)) return undefined;
  const { form, includeObject, resource } = request;
  return itemForm(form, tools.columnsOf(resource), { includeObject, now: tools.clock() });
}

/** Lists all that a state of the copy has in the range, without a look at any of it. */
async function listJoined(
  request: VerbRequest,
  tools: VerbTools,
  form: ItemForm,
  state: State,
  page: Page,
): Promise<ListResult> {
  const { version } = request.resource;
  const { joined } = tools.watchcache;
  const pieces: Uint8Array[] = [];
  const turnIfDue = createTurns();
  let left = page.limit === 0 ? Number.POSITIVE_INFINITY : page.limit;
  let lastKey: string | undefined;
  for (const run of state.objects.runs(rangeOf(request, page))) {
    const part = { ...run, end: Math.min(run.end, run.first + left) };
    const known = joined.known(version, form, part) ?? (await joined.join(version, form, part, turnIfDue));
    for (const piece of known) pieces.push(piece);
    lastKey = run.keys[part.end - 1];
    left -= part.end - part.first;
    if (left === 0) break;
  }
  // The first item has no comma before it, which is a piece's first byte.
  if (pieces.length > 0) pieces[0] = (pieces[0] as Uint8Array).subarray(1);
  const end = left === 0 ? pageEnd(request, state, page, lastKey, true) : wholeEnd;
  return { items: [], itemsJson: pieces, stored: [], resourceVersion: String(state.revision), ...end };
}

/** Lists a state of the copy: nothing but keys is looked at until an object is known to be wanted. */
async function listState(request: VerbRequest, state: State, selection: Selection, page: Page): Promise<ListResult> {
  const { version } = request.resource;
  const items: ObjectView[] = [];
  const stored: StoredObject[] = [];
  const turnIfDue = createTurns();
  let lookedAt = 0;
  let end: PageEnd = wholeEnd;
  for (const [key, object] of state.objects.entries(rangeOf(request, page))) {
    if (++lookedAt % checkEvery === 0) await turnIfDue();
    if (!selection.matchesKey(object.stored)) continue;
    const large = object.prepare(version);
    if (large !== undefined) await large;
    const view = object.view(version);
    if (!selection.matches(object.stored, view)) continue;
    items.push(view);
    stored.push(object.stored);
    if (items.length !== page.limit) continue;
    end = pageEnd(request, state, page, key, selection.isEverything);
    break;
  }
  return { items, stored, resourceVersion: String(state.revision), ...end };
}

type PageEnd = Pick<ListResult, "continueToken" | "remainingItemCount">;

/** How a list ends that is whole. */
const wholeEnd: PageEnd = { continueToken: "", remainingItemCount: undefined };

/** How a page ends whose last item has this key of the copy. */
function pageEnd(
  request: VerbRequest,
  { revision, objects }: State,
  page: Page,
  key: string | undefined,
  isEverything: boolean,
): PageEnd {
  const left = key === undefined ? 0 : objects.count({ ...rangeOf(request, page), from: `${key}\u0000` });
  const last = key === undefined ? undefined : objects.get(key)?.stored;
  if (last === undefined || left === 0) return wholeEnd;
  return {
    continueToken: formatContinueToken({ revision, after: listKey(request, last), storeToken: noToken }),
    remainingItemCount: isEverything ? BigInt(left) : undefined,
  };
}

function rangeOf(request: VerbRequest, { token }: Page): KeyRange {
  return keyRange(request, token === undefined ? undefined : cacheKey(request, token.after));
}

/** Gives the copy's key of a list key: see listKey(). */
function cacheKey(request: VerbRequest, key: string): string {
  const isWhole = request.info.namespace === "" && request.resource.definition.namespaced;
  return isWhole ? key : `${request.info.namespace}/${key}`;
}

/** The part of an object's key by which a collection is ordered: the name alone inside one namespace. */
function listKey(request: VerbRequest, item: StoredObject): string {
  return item.namespace === "" || request.info.namespace !== "" ? item.name : `${item.namespace}/${item.name}`;
}

async function fetchPage(
  client: ResourceClient,
  request: VerbRequest,
  asked: Omit<ListCall, "namespace">,
  token: ContinueToken | undefined,
): Promise<ListPage> {
  try {
    return await client.list({ namespace: request.info.namespace, ...asked }, callOf(request));
  } catch (error) {
    if (!(error instanceof StatusError) || error.status.code !== 410) throw error;
    throw tooOld(token);
  }
}

/**
 * What a list is told whose state is gone; who goes on from a page, how to go on with the state of now.
 * Source: apiserver pkg/storage/etcd3/errors.go.
 */
function tooOld(token: ContinueToken | undefined): StatusError {
  if (token === undefined) return expired("The resourceVersion for the provided list is too old.");
  return expired(
    "The provided continue parameter is too old to display a consistent list result. " +
      "You can start a new list without the continue parameter, or use the continue token in this response to " +
      "retrieve the remainder of the results. Continuing with the provided token results in an inconsistent list - " +
      "objects that were created, modified, or deleted between the time the first chunk was returned and now may " +
      "show up in the list.",
    formatContinueToken({ revision: -1n, after: token.after, storeToken: noToken }),
  );
}

function readOfToken(token: ContinueToken): ReadAt {
  return token.revision === -1n ? { at: "latest" } : { at: "exact", revision: token.revision };
}

/** Whether a list is read by its one name: then a limit means nothing, but for whoever goes on from a page. */
function isOfOne({ info, resource }: VerbRequest, token: ContinueToken | undefined): boolean {
  const isPlaced = info.namespace !== "" || !resource.definition.namespaced;
  return info.name !== "" && isPlaced && token === undefined;
}

function readAt(options: ListOptions, limit: number): ReadAt {
  if (options.resourceVersion === "") return { at: "latest" };
  let revision: bigint;
  try {
    revision = parseGoUint64(options.resourceVersion);
  } catch (error) {
    throw badRequest(
      `invalid resource version: resourceVersion: Invalid value: ${goQuote(options.resourceVersion)}: ${(error as Error).message}`,
    );
  }
  if (revision === 0n) return { at: "any" };
  const isExact = options.resourceVersionMatch === "Exact" || (options.resourceVersionMatch === "" && limit > 0);
  return isExact ? { at: "exact", revision } : { at: "notOlderThan", revision };
}
