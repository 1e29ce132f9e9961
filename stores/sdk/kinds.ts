/**
 * Kinds as an author writes them: what it is in TypeScript or as a CustomResourceDefinition, and the
 * few functions that only the author can write.
 */
import { create } from "@bufbuild/protobuf";
import { Capability, ResumeWindowSchema, Scope, Verb } from "../../gen/annex/store/v1/catalog_pb.js";
import { type Change, type History, historyEvents } from "./history.ts";
import { createKeptObjects } from "./kept.ts";
import { type KeptRules, ruledDescription, ruledHandlers } from "./rules.ts";
import type { KubeObject, ObjectOf, Schema } from "./schema-type.ts";
import type {
  Call,
  CallUser,
  InvokeAnswer,
  InvokeCall,
  ResourceDescription,
  ResourceId,
  Store,
  StoreHealth,
} from "./store.ts";

/** A kind of one version. What has more is a CustomResourceDefinition, read by readCrds(). */
export interface KindDefinition<S extends Schema = Schema> {
  /** A DNS subdomain with a dot. */
  readonly group: string;
  readonly version: string;
  readonly kind: string;
  /** The URL word: lower case, plural. */
  readonly plural: string;
  readonly scope: "Namespaced" | "Cluster";
  readonly shortNames?: readonly string[];
  readonly categories?: readonly string[];
  /** Of the whole object: `spec`, and what else it has. Without one any object is taken as it is. */
  readonly schema?: S;
  /** Columns of `kubectl get` beside the name; `jsonPath` with a leading dot. */
  readonly columns?: readonly { readonly name: string; readonly type: string; readonly jsonPath: string }[];
  /** Paths that field selectors may name, with a leading dot. */
  readonly selectableFields?: readonly string[];
  /** Whether status is a subresource. */
  readonly status?: boolean;
}

/** What a kind is given by its store. */
export interface KindSurroundings {
  readonly history: History;
  readonly log: (fields: object, message: string) => void;
}

/** The functions of a kind that is served. */
export interface KindHandlers
  extends Pick<
    Store,
    "get" | "list" | "watch" | "create" | "update" | "delete" | "invoke" | "stream" | "mutate" | "validate" | "close"
  > {
  health?(): StoreHealth;
}

/** One kind of a store. */
export interface Kind {
  readonly description: ResourceDescription;
  open(surroundings: KindSurroundings): KindHandlers;
}

/** What is to be saved. */
export interface Saving<T> {
  readonly type: "put" | "delete";
  readonly namespace: string;
  readonly name: string;
  /** The object as JSON text; for a delete its last state. Save these bytes: no parser has touched them. */
  readonly json: Uint8Array;
  /** The same, parsed. */
  readonly object: T;
  /** The state before. Undefined: the object is new. */
  readonly previous: T | undefined;
  /** Who asks; undefined for the gateway itself. */
  readonly user: CallUser | undefined;
}

/** Where the objects of a kind last. */
export interface Backend<T> {
  /** Gives every object there is, as JSON text, in any order. Called again until it works. */
  load(): AsyncIterable<Uint8Array | string> | Iterable<Uint8Array | string>;
  /**
   * Makes a change last. Called for one change at a time, before anybody sees it. To refuse it throw
   * `invalid()`, `forbidden()` or another of the SDK's errors; after any other error the objects are
   * loaded again, because nobody knows whether the change was made.
   */
  save(change: Saving<T>): Promise<void>;
}

/** What a kept kind can do, all of it: the objects are in memory. */
export const keptCapabilities: readonly Capability[] = [
  Capability.RESUME,
  Capability.PROGRESS,
  Capability.PREVIOUS_OBJECT,
  Capability.EXACT_READ,
  Capability.SNAPSHOT_LIST,
];
const keptVerbs = [
  Verb.GET,
  Verb.LIST,
  Verb.WATCH,
  Verb.CREATE,
  Verb.UPDATE,
  Verb.PATCH,
  Verb.DELETE,
  Verb.DELETECOLLECTION,
];
/** Twice etcd's limit, so that what is moved from there fits with what is around it. */
const maxObjectBytes = 3n * 1024n * 1024n;

/**
 * A kind whose objects are kept: in memory, and where its backend makes them last. All verbs, unless
 * its rules say otherwise.
 *
 * For as many objects as memory holds; a store of more implements Store itself.
 */
export function keptKind<const S extends Schema>(
  definition: KindDefinition<S>,
  backend?: Backend<NoInfer<ObjectOf<S>>>,
  rules?: KeptRules<NoInfer<ObjectOf<S>>>,
): Kind;
export function keptKind<T extends KubeObject = KubeObject>(
  definition: ResourceDescription,
  backend?: Backend<T>,
  rules?: KeptRules<T>,
): Kind;
export function keptKind(
  definition: KindDefinition | ResourceDescription,
  backend?: Backend<never>,
  given: object = {},
): Kind {
  const rules = given as KeptRules<never>;
  const plain = {
    ...descriptionFrom(definition),
    verbs: keptVerbs,
    capabilities: [...keptCapabilities],
    resumeWindow: create(ResumeWindowSchema, { minRevisions: BigInt(historyEvents) }),
    maxObjectBytes,
  };
  const description = ruledDescription(plain, rules);
  const keeping = backend && {
    load: () => backend.load(),
    save: (change: Change, user: CallUser | undefined) => backend.save(savingOf(change, user) as Saving<never>),
  };
  return {
    description,
    open: ({ history, log }) => ruledHandlers(createKeptObjects(resourceOf(description), history, keeping, log), rules),
  };
}

/** One create of an imperative kind. */
export interface Creation<T> {
  /** What was sent, with its defaults, valid by its schema. */
  readonly object: T;
  /** Who asks; undefined for the gateway itself. */
  readonly user: CallUser | undefined;
  /** Only if the kind takes dry runs: say what would happen, and do nothing. */
  readonly dryRun: boolean;
  /** The audit id of the client's request. */
  readonly requestId: string;
  /** Where the gateway can be asked what the user may do; see createHost(). */
  readonly host: Call["host"];
  /** Aborted when nobody waits any more. */
  readonly signal: AbortSignal;
  /** Tells the client something that is no error. */
  warn(text: string): void;
}

/** How an imperative kind is served. */
export interface ImperativeOptions {
  /** Whether `answer` heeds `dryRun`. Default: false, and the gateway answers dry runs by itself. */
  readonly dryRun?: boolean;
}

/**
 * A kind that keeps nothing: a create is a question or a command, and its answer is the object as it
 * is to be shown. Throw `invalid()`, `forbidden()` or another of the SDK's errors to refuse it.
 */
export function imperativeKind<const S extends Schema>(
  definition: KindDefinition<S>,
  answer: (creation: Creation<NoInfer<ObjectOf<S>>>) => Promise<NoInfer<ObjectOf<S>>>,
  options?: ImperativeOptions,
): Kind;
export function imperativeKind<T extends KubeObject = KubeObject>(
  definition: ResourceDescription,
  answer: (creation: Creation<T>) => Promise<T>,
  options?: ImperativeOptions,
): Kind;
export function imperativeKind(
  definition: KindDefinition | ResourceDescription,
  answer: (creation: Creation<never>) => Promise<KubeObject>,
  { dryRun = false }: ImperativeOptions = {},
): Kind {
  const capabilities = dryRun ? [Capability.DRY_RUN] : [];
  const { resumeWindow: _, ...described } = descriptionFrom(definition);
  async function invoke(call: InvokeCall): Promise<InvokeAnswer> {
    const warnings: string[] = [];
    const { user, requestId, host, signal } = call;
    const object = parse(call.body) as never;
    const warn = (text: string) => warnings.push(text);
    const answered = await answer({ object, user, dryRun: call.dryRun, requestId, host, signal, warn });
    return { body: Buffer.from(JSON.stringify(answered)), warnings };
  }
  return { description: { ...described, verbs: [Verb.CREATE], capabilities }, open: () => ({ invoke }) };
}

function savingOf({ type, object, previous }: Change, user: CallUser | undefined): Saving<unknown> {
  const { namespace, name, json } = object;
  return {
    ...{ type, namespace, name, json, user },
    get object() {
      return parse(json);
    },
    get previous() {
      return previous === undefined ? undefined : parse(previous.json);
    },
  };
}

const parse = (json: Uint8Array): unknown => JSON.parse(Buffer.from(json).toString());

function descriptionFrom(definition: KindDefinition | ResourceDescription): ResourceDescription {
  if (!("version" in definition)) return definition as ResourceDescription;
  const { version, schema, columns = [], selectableFields = [], status = false, scope, ...named } = definition;
  return {
    ...named,
    shortNames: [...(named.shortNames ?? [])],
    categories: [...(named.categories ?? [])],
    scope: scope === "Namespaced" ? Scope.NAMESPACED : Scope.CLUSTER,
    storageVersion: version,
    versions: [
      {
        name: version,
        served: true,
        schemaJson: schema === undefined ? new Uint8Array() : Buffer.from(JSON.stringify(schema)),
        columns: columns.map((column) => ({ ...column })),
        selectableFields: [...selectableFields],
        status,
      },
    ],
  };
}

function resourceOf({ group = "", plural = "", storageVersion = "" }: ResourceDescription): ResourceId {
  return { group, plural, version: storageVersion };
}
