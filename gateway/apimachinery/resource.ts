/**
 * What a resource is: the description that a store gives, as plain values that every room reads.
 *
 * It says what a CustomResourceDefinition can say, plus verbs and capabilities: verbs are data.
 * The contract's CatalogService carries it; registry turns the messages into these values, checks
 * them and refuses, with a reason, what would break clients.
 */
import type { JsonObject } from "./json.ts";

/** A verb that a resource can offer, in Kubernetes' words. */
export type ResourceVerb = "get" | "list" | "watch" | "create" | "update" | "patch" | "delete" | "deletecollection";

/** One printer column. `jsonPath` is kubectl's dialect, with a leading dot. */
export interface PrinterColumn {
  readonly name: string;
  readonly type: "integer" | "number" | "string" | "boolean" | "date";
  readonly format: string;
  readonly description: string;
  readonly priority: number;
  readonly jsonPath: string;
}

/** Paths of the scale subresource, in dot notation with a leading dot. */
export interface ScalePaths {
  readonly specReplicasPath: string;
  readonly statusReplicasPath: string;
  /** `""` if the resource has no selector. */
  readonly labelSelectorPath: string;
}

/** One version of a resource. */
export interface ResourceVersionDefinition {
  readonly name: string;
  readonly served: boolean;
  readonly deprecated: boolean;
  /** `""`: Kubernetes' default text is used. */
  readonly deprecationWarning: string;
  /** The OpenAPI v3 schema with its `x-kubernetes-*`; undefined: any object is taken as it is. */
  readonly schema: JsonObject | undefined;
  readonly columns: readonly PrinterColumn[];
  /** Paths with a leading dot, `.spec.color`, beside metadata.name and metadata.namespace. */
  readonly selectableFields: readonly string[];
  readonly status: boolean;
  readonly scale: ScalePaths | undefined;
}

/** What a store says that it can do for a resource. */
export interface ResourceCapabilities {
  readonly resume: boolean;
  readonly progress: boolean;
  readonly exactRead: boolean;
  readonly snapshotList: boolean;
  readonly previousObject: boolean;
  readonly dryRun: boolean;
  readonly unconditionalUpdate: boolean;
  readonly idempotentWrites: boolean;
  readonly nativeDeleteCollection: boolean;
  readonly projectMetadata: boolean;
  /** Which of its hooks the store is to be asked. */
  readonly hookMutate: boolean;
  readonly hookValidate: boolean;
  readonly hookConvert: boolean;
  readonly hookTabulate: boolean;
}

/** A custom subresource: what a store answers beside the verbs on objects. */
export interface SubresourceDefinition {
  readonly name: string;
  /** `stream`: a connection that lasts, from a WebSocket. */
  readonly kind: "unary" | "stream";
  /** HTTP methods that it answers, upper case. */
  readonly methods: readonly string[];
  /** What it answers with; group and version `""`: the resource's own. */
  readonly responseKind: { readonly group: string; readonly version: string; readonly kind: string };
  /** Media types of bodies that it takes. */
  readonly acceptedTypes: readonly string[];
}

/** Objects that belong to the user whom a field names. */
export interface OwnerScope {
  /** Names of fields, from the object down. */
  readonly path: readonly string[];
  /** What of the user the field holds. */
  readonly match: "name" | "uid";
  /** Who may do this verb to the resource sees everybody's. `""`: nobody does. */
  readonly bypassVerb: string;
}

/** One resource of one group, as its store describes it. */
export interface ResourceDefinition {
  readonly group: string;
  /** The URL word, `httproutes`. */
  readonly plural: string;
  readonly singular: string;
  readonly kind: string;
  readonly listKind: string;
  readonly shortNames: readonly string[];
  readonly categories: readonly string[];
  readonly namespaced: boolean;
  /** In the store's order. At least one. */
  readonly versions: readonly ResourceVersionDefinition[];
  /** The version in which objects lie in the store. */
  readonly storageVersion: string;
  readonly verbs: readonly ResourceVerb[];
  readonly capabilities: ResourceCapabilities;
  /** Whether a PUT on a missing name creates it. */
  readonly createOnUpdate: boolean;
  /** `gateway`: the gateway fills and guards metadata. `store`: the store names, stamps and deletes. */
  readonly lifecycle: "gateway" | "store";
  /** Beside status and scale. */
  readonly subresources: readonly SubresourceDefinition[];
  /** Largest object in bytes that the store takes. */
  readonly maxObjectBytes: number;
  /** Milliseconds between the lists of which a watch is made, for a store without a feed. 0: it has one, or no watch. */
  readonly polledWatchMs: number;
  /** True: the answer of a read depends on who asks; never cached. */
  readonly perUserReads: boolean;
  /** Undefined: objects belong to nobody, and who may read the resource may read them all. */
  readonly ownerScope: OwnerScope | undefined;
}

/** Whether a resource keeps nothing: create is its only verb, and its store answers each as an action. */
export function isImperative(definition: ResourceDefinition): boolean {
  return definition.verbs.every((verb) => verb === "create");
}

/** One served version of one resource: what a request is about. */
export interface ServedResource {
  readonly definition: ResourceDefinition;
  readonly version: ResourceVersionDefinition;
}

/** Every resource that is served, as one immutable value that is replaced as a whole. */
export interface ResourceTable {
  /** Grows by one with each change. */
  readonly generation: number;
  /** In order of registration. */
  readonly resources: readonly ResourceDefinition[];
  /** How the versions of a group are ordered, the first being preferred. Undefined: by Kubernetes' rules. */
  readonly versionOrder?: "registration" | undefined;
  /** Finds a served version; undefined if the resource, or that version of it, is not served. */
  find(group: string, version: string, plural: string): ServedResource | undefined;
  hasGroup(group: string): boolean;
}
