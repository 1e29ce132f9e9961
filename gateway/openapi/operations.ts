/**
 * The operations of a resource: paths, methods, ids and parameters, the same for v2 and v3.
 *
 * Source: apiserver pkg/endpoints/installer.go; apiextensions-apiserver
 * pkg/controller/openapi/builder/builder.go.
 */
import type { JsonObject } from "../apimachinery/json.ts";
import type { ResourceVerb, ServedResource, SubresourceDefinition } from "../apimachinery/resource.ts";

/** A query parameter. */
export interface Parameter {
  readonly name: string;
  readonly type: "string" | "boolean" | "integer";
  readonly description: string;
}

/** What an operation sends or gets. */
export type Shape = "object" | "list" | "patch" | "deleteOptions" | "status" | "scale" | "text";

/** One operation. */
export interface Operation {
  readonly method: "get" | "post" | "put" | "patch" | "delete" | "head" | "options";
  readonly id: string;
  readonly tag: string;
  /** `x-kubernetes-action`. */
  readonly action: string;
  readonly description: string;
  readonly parameters: readonly Parameter[];
  readonly body: Shape | undefined;
  readonly answers: Readonly<Record<string, Shape>>;
  readonly mediaTypes: readonly string[] | undefined;
  /** What it is about, where that is another kind than the resource's. */
  readonly kind?: { readonly group: string; readonly version: string; readonly kind: string };
}

/** A path and its operations. */
export interface PathEntry {
  readonly path: string;
  readonly hasNamespace: boolean;
  readonly hasName: boolean;
  readonly operations: readonly Operation[];
}

/** Media types that PATCH takes. */
export const patchTypes = [
  "application/json-patch+json",
  "application/merge-patch+json",
  "application/apply-patch+yaml",
] as const;

const pretty: Parameter = { name: "pretty", type: "string", description: "Whether to indent the answer." };
const dryRun: Parameter = { name: "dryRun", type: "string", description: "`All`: check everything and store nothing." };
const fieldManager: Parameter = {
  name: "fieldManager",
  type: "string",
  description: "Who makes the change, for managedFields.",
};
const fieldValidation: Parameter = {
  name: "fieldValidation",
  type: "string",
  description: "What to do about unknown and duplicate fields: Ignore, Warn (the default) or Strict.",
};
const force: Parameter = {
  name: "force",
  type: "boolean",
  description: "Take over fields of other managers; for apply.",
};
const writeParameters = [dryRun, fieldManager, fieldValidation];
const selectors: readonly Parameter[] = [
  { name: "continue", type: "string", description: "The token of the page before." },
  { name: "fieldSelector", type: "string", description: "Selects by fields." },
  { name: "labelSelector", type: "string", description: "Selects by labels." },
  { name: "limit", type: "integer", description: "Most objects of one page." },
  { name: "resourceVersion", type: "string", description: "How fresh the answer must be." },
  { name: "resourceVersionMatch", type: "string", description: "How resourceVersion is meant: Exact or NotOlderThan." },
  { name: "sendInitialEvents", type: "boolean", description: "Whether a watch begins with what there is." },
  { name: "timeoutSeconds", type: "integer", description: "How long a list may take or a watch lasts." },
];
const watching: readonly Parameter[] = [
  { name: "allowWatchBookmarks", type: "boolean", description: "Whether a watch may carry bookmarks." },
  ...selectors,
  { name: "watch", type: "boolean", description: "Watch instead of list." },
];
const readParameters: readonly Parameter[] = [
  { name: "resourceVersion", type: "string", description: "How fresh the answer must be." },
];
const deleteParameters: readonly Parameter[] = [
  dryRun,
  { name: "gracePeriodSeconds", type: "integer", description: "Seconds until the object is removed." },
  {
    name: "ignoreStoreReadErrorWithClusterBreakingPotential",
    type: "boolean",
    description: "Remove an object that can't be read; not offered here.",
  },
  { name: "orphanDependents", type: "boolean", description: "Deprecated: use propagationPolicy." },
  {
    name: "propagationPolicy",
    type: "string",
    description: "What becomes of dependents: Orphan, Background or Foreground.",
  },
];

/** Gives every path of a resource, in a fixed order. */
export function pathsOf(resource: ServedResource): readonly PathEntry[] {
  const tag = tagOf(resource);
  return entriesOf(resource).map((entry) => ({
    ...entry,
    operations: entry.operations.map((operation) => ({ ...operation, tag })),
  }));
}

/** `gateway.networking.k8s.io/v1` as `gatewayNetworking_v1`. */
function tagOf({ definition, version }: ServedResource): string {
  const group = camel(definition.group.replace(/\.k8s\.io$/, ""));
  return `${group.charAt(0).toLowerCase()}${group.slice(1)}_${version.name}`;
}

interface Entry extends Omit<PathEntry, "operations"> {
  readonly operations: readonly Untagged[];
}
type Untagged = Omit<Operation, "tag">;

function entriesOf({ definition, version }: ServedResource): readonly Entry[] {
  const { group, plural, kind, namespaced } = definition;
  const root = `/apis/${group}/${version.name}`;
  const collection = namespaced ? `${root}/namespaces/{namespace}/${plural}` : `${root}/${plural}`;
  const has = (verb: ResourceVerb) => definition.verbs.includes(verb);
  const stem = `${camel(group.replace(/\.k8s\.io$/, ""))}${camel(version.name)}`;
  const scoped = `${namespaced ? "Namespaced" : ""}${kind}`;
  const entries: Entry[] = [];
  const add = (path: string, hasName: boolean, operations: readonly (Untagged | false)[]) => {
    const offered = operations.filter((operation) => operation !== false);
    if (offered.length > 0)
      entries.push({ path, hasName, hasNamespace: path.includes("{namespace}"), operations: offered });
  };
  add(collection, false, [
    has("list") &&
      operation("get", `list${stem}${scoped}`, "list", `Lists objects of kind ${kind}.`, watching, { 200: "list" }),
    has("create") &&
      operation(
        "post",
        `create${stem}${scoped}`,
        "post",
        `Creates a ${kind}.`,
        writeParameters,
        { 200: "object", 201: "object", 202: "object" },
        "object",
      ),
    has("deletecollection") &&
      operation(
        "delete",
        `delete${stem}Collection${scoped}`,
        "deletecollection",
        `Deletes a collection of ${kind}.`,
        selectors,
        { 200: "status" },
      ),
  ]);
  if (namespaced) {
    add(`${root}/${plural}`, false, [
      has("list") &&
        operation(
          "get",
          `list${stem}${kind}ForAllNamespaces`,
          "list",
          `Lists objects of kind ${kind} of all namespaces.`,
          watching,
          { 200: "list" },
        ),
    ]);
  }
  add(`${collection}/{name}`, true, [
    has("get") &&
      operation("get", `read${stem}${scoped}`, "get", `Reads a ${kind}.`, readParameters, { 200: "object" }),
    ...writes(has, stem, scoped, kind, "", "object"),
    has("delete") &&
      operation(
        "delete",
        `delete${stem}${scoped}`,
        "delete",
        `Deletes a ${kind}.`,
        deleteParameters,
        { 200: "status", 202: "status" },
        "deleteOptions",
      ),
  ]);
  const subresource = (name: "status" | "scale", shape: Shape) =>
    add(`${collection}/{name}/${name}`, true, [
      has("get") &&
        operation(
          "get",
          `read${stem}${scoped}${camel(name)}`,
          "get",
          `Reads the ${name} of a ${kind}.`,
          readParameters,
          { 200: shape },
        ),
      ...writes(has, stem, scoped, kind, name, shape),
    ]);
  if (version.status) subresource("status", "object");
  if (version.scale !== undefined) subresource("scale", "scale");
  for (const custom of definition.subresources) {
    const path = `${collection}/{name}/${custom.name}`;
    const connects = (suffix: string) =>
      custom.methods.map((method): Untagged => {
        const id = `connect${stem}${camel(method.toLowerCase())}${scoped}${camel(custom.name)}${suffix}`;
        const what = `Connects ${method} requests to the ${custom.name} of a ${kind}.`;
        const word = method.toLowerCase() as Operation["method"];
        return {
          ...operation(word, id, "connect", what, [], { 200: "text" }),
          kind: kindOf(custom, group, version.name),
        };
      });
    add(path, true, connects(""));
    add(`${path}/{path}`, true, connects("WithPath"));
  }
  return entries;
}

function kindOf({ responseKind }: SubresourceDefinition, group: string, version: string) {
  return responseKind.version === "" ? { group, version, kind: responseKind.kind } : responseKind;
}

function writes(
  has: (verb: ResourceVerb) => boolean,
  stem: string,
  scoped: string,
  kind: string,
  subresource: string,
  shape: Shape,
): (Untagged | false)[] {
  const what = subresource === "" ? `a ${kind}` : `the ${subresource} of a ${kind}`;
  const id = `${stem}${scoped}${camel(subresource)}`;
  return [
    has("update") &&
      operation("put", `replace${id}`, "put", `Replaces ${what}.`, writeParameters, { 200: shape, 201: shape }, shape),
    has("patch") && {
      ...operation(
        "patch",
        `patch${id}`,
        "patch",
        `Changes ${what}.`,
        [...writeParameters, force],
        { 200: shape },
        "patch",
      ),
      mediaTypes: patchTypes,
    },
  ];
}

function operation(
  method: Operation["method"],
  id: string,
  action: string,
  description: string,
  parameters: readonly Parameter[],
  answers: Readonly<Record<string, Shape>>,
  body?: Shape,
): Untagged {
  const isText = Object.values(answers).includes("text");
  return {
    method,
    id,
    action,
    description,
    parameters: isText ? [] : [...parameters, pretty],
    body,
    answers,
    mediaTypes: undefined,
  };
}

/** `gateway.networking` as `GatewayNetworking`. */
function camel(text: string): string {
  return text
    .split(/[.-]/)
    .map((part) => part.charAt(0).toUpperCase() + part.slice(1))
    .join("");
}

/** Gives a group's domain reversed: `gateway.networking.k8s.io` as `io.k8s.networking.gateway`. */
export function definitionName(group: string, version: string, kind: string): string {
  return `${group.split(".").reverse().join(".")}.${version}.${kind}`;
}

/** The object, list and scale of a resource as extensions name them. */
export function gvkOf({ definition, version }: ServedResource, kind = definition.kind): JsonObject {
  return { group: definition.group, kind, version: version.name };
}
