/**
 * What is served, as clients discover it: the legacy documents and the aggregated one.
 *
 * Made from the table of resources and nothing else: no store is asked. Versions are in Kubernetes'
 * order (v2, v1, v1beta1, v1alpha1), as kube-apiserver orders those of a CustomResourceDefinition;
 * groups and resources as they were registered, and by name in the aggregated document.
 * Source: apiserver pkg/endpoints/discovery; apiextensions-apiserver
 * pkg/apiserver/customresource_discovery_controller.go.
 */
import { createHash } from "node:crypto";
import { formatGroupVersion } from "../apimachinery/gvk.ts";
import type { HttpHeaders } from "../apimachinery/http.ts";
import { encodeJson, type JsonObject } from "../apimachinery/json.ts";
import {
  isImperative,
  type ResourceDefinition,
  type ResourceTable,
  type ResourceVerb,
  type ResourceVersionDefinition,
  type ServedResource,
  type SubresourceDefinition,
} from "../apimachinery/resource.ts";
import { compareVersions } from "./version-order.ts";

/** A request that may be for a discovery document. */
export interface DiscoveryRequest {
  readonly path: string;
  readonly accept: string | undefined;
  readonly ifNoneMatch: string | undefined;
}

/** A document, or what stands for it. `document` undefined: the body is empty. */
export interface DiscoveryAnswer {
  readonly status: number;
  /** With a Content-Type only where the document brings its own. */
  readonly headers: HttpHeaders;
  readonly document: JsonObject | undefined;
}

/** As kube-apiserver lists the verbs of a custom resource. */
const verbOrder: readonly ResourceVerb[] = [
  "delete",
  "deletecollection",
  "get",
  "list",
  "patch",
  "create",
  "update",
  "watch",
];
const subresourceVerbs: readonly ResourceVerb[] = ["get", "patch", "update"];
const aggregatedParameters = "g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList";
const otherPaths = [
  "/healthz",
  "/livez",
  "/metrics",
  "/metrics/slis",
  "/openapi/v2",
  "/openapi/v3",
  "/readyz",
  "/version",
];

/** Answers a discovery request; undefined if the path is none, or of a group or version that isn't served. */
export function answerDiscovery(request: DiscoveryRequest, table: ResourceTable): DiscoveryAnswer | undefined {
  if (request.path === "/" || request.path === "/index.html") return whole({ paths: rootPaths(table) });
  // One slash may end a path; an empty name anywhere else is the name of nothing.
  const [before, root, group, version, ...rest] = request.path.replace(/\/$/, "").split("/");
  if (before !== "" || root !== "apis" || rest.length > 0) return undefined;
  if (group === undefined) {
    // With the slash the path is the legacy document's alone.
    const type = request.path.endsWith("/") ? undefined : aggregatedType(request.accept);
    return type === undefined ? whole(groupList(table)) : aggregated(request, type, table);
  }
  const groups = groupsOf(table);
  const found = groups.find((one) => one.name === group);
  if (found === undefined) return undefined;
  if (version === undefined) return whole({ kind: "APIGroup", apiVersion: "v1", ...groupDocument(found) });
  if (!found.versions.includes(version)) return undefined;
  return whole(resourceList(found, version));
}

/** Gives the warning that a deprecated version's every request carries. */
export function deprecationWarning({ definition, version }: ServedResource): string | undefined {
  if (!version.deprecated) return undefined;
  if (version.deprecationWarning !== "") return version.deprecationWarning;
  const { group, kind } = definition;
  const newer = definition.versions
    .filter((one) => one.served && !one.deprecated && compareVersions(one.name, version.name) < 0)
    .sort((a, b) => compareVersions(a.name, b.name))[0];
  const use = newer === undefined ? "" : `; use ${formatGroupVersion(group, newer.name)} ${kind}`;
  return `${formatGroupVersion(group, version.name)} ${kind} is deprecated${use}`;
}

interface Group {
  readonly name: string;
  /** Preferred first. */
  readonly versions: readonly string[];
  readonly resources: readonly ResourceDefinition[];
}

const groupsByTable = new WeakMap<ResourceTable, readonly Group[]>();

/** The groups of a table, in order of registration. */
function groupsOf(table: ResourceTable): readonly Group[] {
  let groups = groupsByTable.get(table);
  if (groups === undefined) {
    const byName = new Map<string, ResourceDefinition[]>();
    for (const resource of table.resources) {
      if (!resource.versions.some((version) => version.served)) continue;
      byName.set(resource.group, [...(byName.get(resource.group) ?? []), resource]);
    }
    groups = [...byName].map(([name, resources]) => {
      const versions = new Set(resources.flatMap((one) => one.versions.filter((v) => v.served).map((v) => v.name)));
      const asRegistered = [...versions];
      const sorted = table.versionOrder === "registration" ? asRegistered : asRegistered.sort(compareVersions);
      return { name, resources, versions: sorted };
    });
    groupsByTable.set(table, groups);
  }
  return groups;
}

function whole(document: JsonObject): DiscoveryAnswer {
  return { status: 200, headers: {}, document };
}

function rootPaths(table: ResourceTable): string[] {
  const groups = groupsOf(table).flatMap(({ name, versions }) => [
    `/apis/${name}`,
    ...versions.map((version) => `/apis/${name}/${version}`),
  ]);
  return ["/apis", "/apis/", ...groups, ...otherPaths].sort();
}

function groupList(table: ResourceTable): JsonObject {
  return { kind: "APIGroupList", groups: groupsOf(table).map(groupDocument) };
}

function groupDocument({ name, versions }: Group): JsonObject {
  const entries = versions.map((version) => ({ groupVersion: formatGroupVersion(name, version), version }));
  return { name, versions: entries, preferredVersion: entries[0] ?? null };
}

function resourceList(group: Group, version: string): JsonObject {
  const resources = group.resources.flatMap((resource) => {
    const found = resource.versions.find((one) => one.name === version && one.served);
    return found === undefined ? [] : legacyEntries(resource, found);
  });
  return {
    kind: "APIResourceList",
    apiVersion: "v1",
    groupVersion: formatGroupVersion(group.name, version),
    resources,
  };
}

function legacyEntries(resource: ResourceDefinition, version: ResourceVersionDefinition): JsonObject[] {
  const { plural, singular, namespaced, kind, group, shortNames, categories } = resource;
  const main: JsonObject = {
    name: plural,
    singularName: singular,
    namespaced,
    kind,
    verbs: verbsOf(resource),
    ...(shortNames.length > 0 ? { shortNames: [...shortNames] } : {}),
    ...(categories.length > 0 ? { categories: [...categories] } : {}),
    ...(isServed(resource, resource.storageVersion) && !isImperative(resource)
      ? { storageVersionHash: storageVersionHash(group, resource.storageVersion, kind) }
      : {}),
  };
  const verbs = offered(resource, subresourceVerbs);
  const status = { name: `${plural}/status`, singularName: "", namespaced, kind, verbs };
  const scale = {
    name: `${plural}/scale`,
    singularName: "",
    namespaced,
    group: "autoscaling",
    version: "v1",
    kind: "Scale",
    verbs,
  };
  const custom = resource.subresources.map((subresource) => {
    const { group: responseGroup, version: responseVersion, kind: responseKind } = subresource.responseKind;
    return {
      name: `${plural}/${subresource.name}`,
      singularName: "",
      namespaced,
      ...(responseVersion === "" ? {} : { group: responseGroup, version: responseVersion }),
      kind: responseKind,
      verbs: connectVerbs(subresource),
    };
  });
  return [main, ...(version.status ? [status] : []), ...(version.scale === undefined ? [] : [scale]), ...custom];
}

const verbsByMethod: Readonly<Record<string, string>> = {
  DELETE: "delete",
  GET: "get",
  PATCH: "patch",
  POST: "create",
  PUT: "update",
};

/** The verbs that the methods of a subresource are authorized as. */
function connectVerbs({ methods }: SubresourceDefinition): string[] {
  return methods.flatMap((method) => verbsByMethod[method] ?? []).sort();
}

function isServed(resource: ResourceDefinition, version: string): boolean {
  return resource.versions.some((one) => one.name === version && one.served);
}

function verbsOf(resource: ResourceDefinition): string[] {
  return offered(resource, verbOrder);
}

function offered(resource: ResourceDefinition, verbs: readonly ResourceVerb[]): string[] {
  return verbs.filter((verb) => resource.verbs.includes(verb));
}

function storageVersionHash(group: string, version: string, kind: string): string {
  return createHash("sha256").update(`${group}/${version}/${kind}`).digest().subarray(0, 8).toString("base64");
}

/** Gives the type of the aggregated document that a clause asks for; it goes before a plain one wherever it stands. */
function aggregatedType(accept: string | undefined): string | undefined {
  for (const clause of (accept ?? "").split(",")) {
    const [type = "", ...params] = clause.split(";").map((part) => part.trim());
    if (type !== "application/json" && type !== "application/yaml") continue;
    if (aggregatedParameters.split(";").every((param) => params.includes(param)))
      return `${type};${aggregatedParameters}`;
  }
  return undefined;
}

interface Aggregated {
  readonly document: JsonObject;
  readonly etag: string;
}

const aggregatedByTable = new WeakMap<ResourceTable, Aggregated>();

function aggregated(request: DiscoveryRequest, type: string, table: ResourceTable): DiscoveryAnswer {
  let made = aggregatedByTable.get(table);
  if (made === undefined) {
    const document = aggregatedDocument(table);
    const etag = createHash("sha512").update(encodeJson(document)).digest("hex").toUpperCase();
    made = { document, etag: `"${etag}"` };
    aggregatedByTable.set(table, made);
  }
  const headers = { ETag: made.etag, Vary: "Accept", "Cache-Control": "public" };
  if (request.ifNoneMatch === made.etag) return { status: 304, headers, document: undefined };
  return { status: 200, headers: { ...headers, "Content-Type": type }, document: made.document };
}

function aggregatedDocument(table: ResourceTable): JsonObject {
  const groups = [...groupsOf(table)].sort((a, b) => (a.name < b.name ? -1 : 1));
  return {
    kind: "APIGroupDiscoveryList",
    apiVersion: "apidiscovery.k8s.io/v2",
    metadata: {},
    items: groups.map((group) => ({
      metadata: { name: group.name },
      versions: group.versions.map((version) => ({
        version,
        resources: [...group.resources]
          .sort((a, b) => (a.plural < b.plural ? -1 : 1))
          .flatMap((resource) => {
            const found = resource.versions.find((one) => one.name === version && one.served);
            return found === undefined ? [] : [aggregatedEntry(resource, found)];
          }),
        freshness: "Current",
      })),
    })),
  };
}

function aggregatedEntry(resource: ResourceDefinition, version: ResourceVersionDefinition): JsonObject {
  const { group, kind, plural, singular, namespaced, shortNames, categories } = resource;
  const responseKind = { group, version: version.name, kind };
  const verbs = offered(resource, subresourceVerbs);
  const subresources: JsonObject[] = [
    ...(version.status ? [{ subresource: "status", responseKind, verbs }] : []),
    ...(version.scale === undefined
      ? []
      : [{ subresource: "scale", responseKind: { group: "autoscaling", version: "v1", kind: "Scale" }, verbs }]),
    ...resource.subresources.map((subresource) => ({
      subresource: subresource.name,
      responseKind:
        subresource.responseKind.version === ""
          ? { ...responseKind, kind: subresource.responseKind.kind }
          : { ...subresource.responseKind },
      verbs: connectVerbs(subresource),
    })),
  ];
  return {
    resource: plural,
    responseKind,
    scope: namespaced ? "Namespaced" : "Cluster",
    singularResource: singular,
    verbs: verbsOf(resource),
    ...(shortNames.length > 0 ? { shortNames: [...shortNames] } : {}),
    ...(categories.length > 0 ? { categories: [...categories] } : {}),
    ...(subresources.length > 0 ? { subresources } : {}),
  };
}
