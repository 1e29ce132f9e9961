/** OpenAPI v3: one document for each group and version. Source: kube-openapi pkg/builder3. */
import type { JsonObject } from "../apimachinery/json.ts";
import type { ServedResource } from "../apimachinery/resource.ts";
import { finishInSlices, turn } from "../apimachinery/steps.ts";
import { metaNames, metaTypes } from "./meta-types.ts";
import {
  definitionName,
  gvkOf,
  type Operation,
  type Parameter,
  type PathEntry,
  pathsOf,
  type Shape,
} from "./operations.ts";
import { rewriteSteps } from "./rewrite.ts";
import { listSchema, rootSchema, unfoldingRule } from "./schemas.ts";

/** What a store answers in its own language. */
const anyText = { "*/*": { schema: { type: "string" } } };
const answerTypes = ["application/json", "application/yaml"] as const;

/** Builds the document of one group and version. Gives the event loop a turn after each resource. */
export async function buildV3(served: readonly ServedResource[]): Promise<JsonObject> {
  const first = served[0]?.definition;
  const version = served[0]?.version.name ?? "";
  const schemas: JsonObject = metaTypes(ref, [{ group: first?.group ?? "", version }]);
  const paths: JsonObject = {};
  for (const resource of served) {
    const { definition } = resource;
    const name = definitionName(definition.group, version, definition.kind);
    const listName = definitionName(definition.group, version, definition.listKind);
    schemas[name] = rootSchema(resource, await unfolded(resource), ref);
    schemas[listName] = listSchema(resource, ref(name, ""), ref);
    for (const entry of pathsOf(resource)) paths[entry.path] = pathItem(entry, resource, name, listName);
    await turn();
  }
  return {
    openapi: "3.0.0",
    info: { title: "Annex", version: "v0.1.0" },
    paths,
    components: { schemas },
  };
}

function ref(name: string, description: string): JsonObject {
  const reference = { $ref: `#/components/schemas/${name}` };
  return description === "" ? reference : { allOf: [reference], default: {}, description };
}

async function unfolded({ version }: ServedResource): Promise<JsonObject | undefined> {
  return version.schema && (await finishInSlices(rewriteSteps(version.schema, unfoldingRule(ref))));
}

function pathItem(entry: PathEntry, resource: ServedResource, name: string, listName: string): JsonObject {
  const item: JsonObject = {};
  for (const operation of entry.operations) item[operation.method] = operationItem(operation, resource, name, listName);
  item["parameters"] = [
    ...(entry.hasName ? [pathParameter("name", `Name of the ${resource.definition.kind}.`)] : []),
    ...(entry.hasNamespace ? [pathParameter("namespace", "The namespace.")] : []),
    ...(entry.path.endsWith("/{path}") ? [pathParameter("path", "What follows in the path.")] : []),
  ];
  return item;
}

function operationItem(operation: Operation, resource: ServedResource, name: string, listName: string): JsonObject {
  const schemaFor = (shape: Shape): JsonObject => ({
    $ref: `#/components/schemas/${schemaName(shape, name, listName)}`,
  });
  const content = (shape: Shape, types: readonly string[]): JsonObject =>
    shape === "text" ? anyText : contentOf(shape, types);
  const contentOf = (shape: Shape, types: readonly string[]) =>
    Object.fromEntries(types.map((type) => [type, { schema: schemaFor(shape) }]));
  const requestBody = ({ mediaTypes = answerTypes }: Operation, shape: Shape): JsonObject => ({
    content: content(shape, mediaTypes),
    // DeleteOptions may be left out.
    ...(shape === "deleteOptions" ? {} : { required: true }),
  });
  const responses: JsonObject = { 401: { description: "Unauthorized" } };
  for (const [status, shape] of Object.entries(operation.answers)) {
    responses[status] = {
      description: status === "201" ? "Created" : status === "202" ? "Accepted" : "OK",
      content: content(shape, answerTypes),
    };
  }
  return {
    description: operation.description,
    operationId: operation.id,
    tags: [operation.tag],
    parameters: operation.parameters.map(queryParameter),
    ...(operation.body === undefined ? {} : { requestBody: requestBody(operation, operation.body) }),
    responses,
    "x-kubernetes-action": operation.action,
    "x-kubernetes-group-version-kind": operation.kind ? { ...operation.kind } : gvkOf(resource),
  };
}

/** Gives the name of the schema of what an operation sends or gets. */
function schemaName(shape: Shape, name: string, listName: string): string {
  switch (shape) {
    case "object":
      return name;
    case "list":
      return listName;
    case "patch":
      return metaNames.patch;
    case "deleteOptions":
      return metaNames.deleteOptions;
    case "status":
      return metaNames.status;
    case "scale":
      return metaNames.scale;
    case "text":
      throw new TypeError("a text has no schema of its own");
  }
}

function pathParameter(name: string, description: string): JsonObject {
  return { name, in: "path", description, required: true, schema: { type: "string", uniqueItems: true } };
}

function queryParameter({ name, type, description }: Parameter): JsonObject {
  return { name, in: "query", description, schema: { type, uniqueItems: true } };
}
