/**
 * OpenAPI v2: one document for everything. What v2 can't say is left out: defaults, combinations,
 * nullable; a field that keeps unknown fields keeps only that word.
 *
 * Recursion is as deep as a schema, which is bounded when it is compiled.
 * Source: apiextensions-apiserver pkg/controller/openapi/v2/conversion.go; kube-openapi pkg/builder.
 */
import { isJsonObject, type JsonObject, type JsonValue } from "../apimachinery/json.ts";
import type { ServedResource } from "../apimachinery/resource.ts";
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
import { kindSchema, listSchema } from "./schemas.ts";

const mediaTypes = ["application/json", "application/yaml"];
const leftOut = new Set(["anyOf", "oneOf", "allOf", "not", "nullable", "default", "x-kubernetes-validations"]);

/** Builds the document. Gives the event loop a turn after each resource. */
export async function buildV2(served: readonly ServedResource[]): Promise<JsonObject> {
  const first = served[0];
  const definitions: JsonObject = metaTypes(ref, first?.definition.group ?? "", first?.version.name ?? "");
  const paths: JsonObject = {};
  for (const resource of served) {
    const { definition, version } = resource;
    const name = definitionName(definition.group, version.name, definition.kind);
    const listName = definitionName(definition.group, version.name, definition.listKind);
    definitions[name] = simplified(kindSchema(resource, ref));
    definitions[listName] = listSchema(resource, ref(name, ""), ref);
    for (const entry of pathsOf(resource)) paths[entry.path] = pathItem(entry, resource, name, listName);
    await new Promise<void>((resolve) => setImmediate(resolve));
  }
  return { swagger: "2.0", info: { title: "Annex", version: "v0.1.0" }, paths, definitions };
}

function ref(name: string, description: string): JsonObject {
  const reference = { $ref: `#/definitions/${name}` };
  return description === "" ? reference : { ...reference, description };
}

/** Gives a schema as v2 can say it. */
function simplified(schema: JsonObject): JsonObject {
  if (schema["$ref"] !== undefined) return schema;
  const isOpen = schema["x-kubernetes-preserve-unknown-fields"] === true;
  const isRoot = schema["x-kubernetes-group-version-kind"] !== undefined;
  const out: JsonObject = {};
  for (const key of Object.keys(schema)) {
    if (leftOut.has(key)) continue;
    // Clients of v2 would refuse what an open object may hold beside its properties.
    if (isOpen && !isRoot && (key === "properties" || key === "type" || key === "items" || key === "required"))
      continue;
    const value = schema[key] as JsonValue;
    if (key === "properties" && isJsonObject(value)) {
      const properties: JsonObject = {};
      for (const name of Object.keys(value)) properties[name] = simplified(value[name] as JsonObject);
      out[key] = properties;
    } else if ((key === "items" || key === "additionalProperties") && isJsonObject(value)) out[key] = simplified(value);
    else out[key] = value;
  }
  if (schema["nullable"] === true) delete out["type"];
  return out;
}

function pathItem(entry: PathEntry, resource: ServedResource, name: string, listName: string): JsonObject {
  const item: JsonObject = {};
  for (const operation of entry.operations) item[operation.method] = operationItem(operation, resource, name, listName);
  item["parameters"] = [
    ...(entry.hasName ? [pathParameter("name", `Name of the ${resource.definition.kind}.`)] : []),
    ...(entry.hasNamespace ? [pathParameter("namespace", "The namespace.")] : []),
  ];
  return item;
}

function operationItem(operation: Operation, resource: ServedResource, name: string, listName: string): JsonObject {
  const names: Readonly<Record<Shape, string>> = {
    object: name,
    list: listName,
    patch: metaNames.patch,
    deleteOptions: metaNames.deleteOptions,
    status: metaNames.status,
    scale: metaNames.scale,
  };
  const responses: JsonObject = { 401: { description: "Unauthorized" } };
  for (const [status, shape] of Object.entries(operation.answers)) {
    responses[status] = {
      description: status === "201" ? "Created" : status === "202" ? "Accepted" : "OK",
      schema: { $ref: `#/definitions/${names[shape]}` },
    };
  }
  const body = operation.body;
  return {
    description: operation.description,
    consumes: [...(operation.mediaTypes ?? mediaTypes)],
    produces: mediaTypes,
    schemes: ["https"],
    operationId: operation.id,
    parameters: [
      ...(body === undefined
        ? []
        : [
            {
              name: "body",
              in: "body",
              required: body !== "deleteOptions",
              schema: { $ref: `#/definitions/${names[body]}` },
            },
          ]),
      ...operation.parameters.map(queryParameter),
    ],
    responses,
    "x-kubernetes-action": operation.action,
    "x-kubernetes-group-version-kind": gvkOf(resource),
  };
}

function pathParameter(name: string, description: string): JsonObject {
  return { name, in: "path", description, required: true, type: "string", uniqueItems: true };
}

function queryParameter({ name, type, description }: Parameter): JsonObject {
  return { name, in: "query", description, type, uniqueItems: true };
}
