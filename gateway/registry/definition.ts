/**
 * A store's description as the gateway's plain values, and what is refused of it.
 *
 * Nothing is repaired silently: a resource that can't be served as described is refused with the
 * path of the fault, and the rest of the store is served.
 * Source: proto/annex/store/v1/catalog.proto; apiextensions-apiserver validation of CRDs.
 */
import {
  Capability,
  Lifecycle,
  OwnerMatch,
  type OwnerScope as OwnerScopeMessage,
  type Resource,
  Scope,
  type Subresource,
  SubresourceKind,
  Verb,
  type Version,
} from "../../gen/annex/store/v1/catalog_pb.js";
import { isJsonObject, type JsonObject, jsonParser } from "../apimachinery/json.ts";
import type {
  OwnerScope,
  PrinterColumn,
  ResourceCapabilities,
  ResourceDefinition,
  ResourceVerb,
  ResourceVersionDefinition,
  SubresourceDefinition,
} from "../apimachinery/resource.ts";
import { finishInSlices } from "../apimachinery/steps.ts";

/** Why a resource is not served. */
export class DefinitionFault extends Error {
  override readonly name = "DefinitionFault";
}

/** etcd's limit, which clients of Kubernetes know. */
const defaultMaxObjectBytes = 1_572_864;

/** Each poll is a list of everything: more often, a store with a feed is what is wanted. */
const minPolledWatchMs = 100;

const verbWords: Readonly<Record<Verb, ResourceVerb | undefined>> = {
  [Verb.UNSPECIFIED]: undefined,
  [Verb.GET]: "get",
  [Verb.LIST]: "list",
  [Verb.WATCH]: "watch",
  [Verb.CREATE]: "create",
  [Verb.UPDATE]: "update",
  [Verb.PATCH]: "patch",
  [Verb.DELETE]: "delete",
  [Verb.DELETECOLLECTION]: "deletecollection",
};

/**
 * Reads one resource of a description.
 * @throws DefinitionFault naming the field that stops it from being served.
 */
export async function definitionFrom(resource: Resource): Promise<ResourceDefinition> {
  const { group, plural, kind } = resource;
  if (!/^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)+$/.test(group)) {
    throw new DefinitionFault(`group: "${group}" is no DNS subdomain with a dot`);
  }
  if (!/^[a-z]([-a-z0-9]*[a-z0-9])?$/.test(plural))
    throw new DefinitionFault(`plural: "${plural}" is no lower-case DNS label`);
  if (!/^[A-Z][A-Za-z0-9]*$/.test(kind)) throw new DefinitionFault(`kind: "${kind}" is no CamelCase word`);
  if (resource.scope === Scope.UNSPECIFIED) throw new DefinitionFault("scope: must be namespaced or cluster");
  if (resource.versions.length === 0) throw new DefinitionFault("versions: at least one is required");
  if (!resource.versions.some((version) => version.name === resource.storageVersion)) {
    throw new DefinitionFault(`storage_version: "${resource.storageVersion}" is none of the versions`);
  }
  const verbs = resource.verbs.map((verb) => verbWords[verb]).filter((verb) => verb !== undefined);
  const has = (verb: ResourceVerb) => verbs.includes(verb);
  if (has("patch") && !(has("get") && has("update"))) throw new DefinitionFault("verbs: patch needs get and update");
  if (has("watch") && !has("list")) throw new DefinitionFault("verbs: watch needs list");
  if (has("deletecollection") && !(has("list") && has("delete"))) {
    throw new DefinitionFault("verbs: deletecollection needs list and delete");
  }
  const polledWatchMs = resource.polledWatchIntervalMs;
  if (polledWatchMs > 0) {
    if (has("watch") || !has("list"))
      throw new DefinitionFault("polled_watch_interval_ms: is for a resource with list and without watch");
    if (polledWatchMs < minPolledWatchMs)
      throw new DefinitionFault(`polled_watch_interval_ms: must be at least ${minPolledWatchMs}`);
    verbs.push("watch");
  }
  const versions: ResourceVersionDefinition[] = [];
  for (const version of resource.versions) versions.push(await versionFrom(version, versions.length));
  return {
    group,
    plural,
    kind,
    singular: resource.singular || kind.toLowerCase(),
    listKind: resource.listKind || `${kind}List`,
    shortNames: resource.shortNames,
    categories: resource.categories,
    namespaced: resource.scope === Scope.NAMESPACED,
    versions,
    storageVersion: resource.storageVersion,
    verbs,
    capabilities: capabilitiesFrom(resource.capabilities),
    createOnUpdate: resource.createOnUpdate,
    subresources: resource.subresources.map((subresource, index) => subresourceFrom(subresource, index, resource)),
    lifecycle: resource.lifecycle === Lifecycle.STORE ? "store" : "gateway",
    maxObjectBytes: Number(resource.maxObjectBytes) || defaultMaxObjectBytes,
    polledWatchMs,
    perUserReads: resource.perUserReads,
    ownerScope: resource.ownerScope === undefined ? undefined : ownerScopeFrom(resource.ownerScope),
  };
}

const methods = ["DELETE", "GET", "HEAD", "OPTIONS", "PATCH", "POST", "PUT"];

function subresourceFrom(
  subresource: Subresource,
  index: number,
  { kind, subresources }: Resource,
): SubresourceDefinition {
  const { name, httpMethods, responseGroup, responseVersion, responseKind, acceptedContentTypes } = subresource;
  const at = `subresources[${index}]`;
  if (!/^[a-z]([-a-z0-9]*[a-z0-9])?$/.test(name)) throw new DefinitionFault(`${at}.name: "${name}" is no DNS label`);
  if (name === "status" || name === "scale") throw new DefinitionFault(`${at}.name: ${name} stands in a version`);
  if (subresources.findIndex((one) => one.name === name) < index)
    throw new DefinitionFault(`${at}.name: "${name}" is there twice`);
  if (subresource.kind === SubresourceKind.UNSPECIFIED)
    throw new DefinitionFault(`${at}.kind: must be unary or stream`);
  if (subresource.kind === SubresourceKind.STREAM && !httpMethods.includes("GET"))
    throw new DefinitionFault(`${at}.http_methods: a stream needs GET, the method of a WebSocket`);
  if (httpMethods.length === 0) throw new DefinitionFault(`${at}.http_methods: at least one is required`);
  const unknown = httpMethods.find((method) => !methods.includes(method));
  if (unknown !== undefined)
    throw new DefinitionFault(`${at}.http_methods: "${unknown}" is none of ${methods.join(", ")}`);
  if ((responseGroup !== "" || responseVersion !== "") && (responseVersion === "" || responseKind === ""))
    throw new DefinitionFault(`${at}.response_kind: a group needs a version and a kind`);
  return {
    name,
    kind: subresource.kind === SubresourceKind.STREAM ? "stream" : "unary",
    methods: httpMethods,
    responseKind: { group: responseGroup, version: responseVersion, kind: responseKind || kind },
    acceptedTypes: acceptedContentTypes.length === 0 ? ["application/json"] : acceptedContentTypes,
  };
}

/** @throws DefinitionFault for what would leave it open whose an object is. */
function ownerScopeFrom({ fieldPath, match, bypassVerb }: OwnerScopeMessage): OwnerScope {
  if (!/^(\.[A-Za-z_][A-Za-z0-9_-]*)+$/.test(fieldPath)) {
    throw new DefinitionFault(`owner_scope.field_path: "${fieldPath}" is no path like ".spec.userID"`);
  }
  if (match !== OwnerMatch.NAME && match !== OwnerMatch.UID) {
    throw new DefinitionFault("owner_scope.match: must be name or uid");
  }
  const path = fieldPath.slice(1).split(".");
  return { path, match: match === OwnerMatch.UID ? "uid" : "name", bypassVerb };
}

async function versionFrom(version: Version, index: number): Promise<ResourceVersionDefinition> {
  const at = `versions[${index}]`;
  if (!/^[a-z]([-a-z0-9]*[a-z0-9])?$/.test(version.name))
    throw new DefinitionFault(`${at}.name: "${version.name}" is no DNS label`);
  return {
    name: version.name,
    served: version.served,
    deprecated: version.deprecated,
    deprecationWarning: version.deprecationWarning,
    schema: version.schemaJson.length === 0 ? undefined : await schemaFrom(version.schemaJson, at),
    columns: version.columns.map((column) => ({ ...column, type: column.type as PrinterColumn["type"] })),
    selectableFields: version.selectableFields,
    status: version.status,
    scale:
      version.scale === undefined
        ? undefined
        : {
            specReplicasPath: version.scale.specReplicasPath,
            statusReplicasPath: version.scale.statusReplicasPath,
            labelSelectorPath: version.scale.labelSelectorPath,
          },
  };
}

async function schemaFrom(json: Uint8Array, at: string): Promise<JsonObject> {
  let schema: unknown;
  try {
    schema = (await finishInSlices(jsonParser(json))).value;
  } catch (error) {
    throw new DefinitionFault(`${at}.schema_json: ${(error as Error).message}`, { cause: error });
  }
  if (!isJsonObject(schema)) throw new DefinitionFault(`${at}.schema_json: must be an object`);
  return schema;
}

function capabilitiesFrom(declared: readonly Capability[]): ResourceCapabilities {
  const has = (capability: Capability) => declared.includes(capability);
  return {
    resume: has(Capability.RESUME),
    progress: has(Capability.PROGRESS),
    exactRead: has(Capability.EXACT_READ),
    snapshotList: has(Capability.SNAPSHOT_LIST),
    previousObject: has(Capability.PREVIOUS_OBJECT),
    dryRun: has(Capability.DRY_RUN),
    unconditionalUpdate: has(Capability.UNCONDITIONAL_UPDATE),
    idempotentWrites: has(Capability.IDEMPOTENT_WRITES),
    nativeDeleteCollection: has(Capability.NATIVE_DELETE_COLLECTION),
    projectMetadata: has(Capability.PROJECT_METADATA),
    hookMutate: has(Capability.HOOK_MUTATE),
    hookValidate: has(Capability.HOOK_VALIDATE),
    hookConvert: has(Capability.HOOK_CONVERT),
    hookTabulate: has(Capability.HOOK_TABULATE),
  };
}
