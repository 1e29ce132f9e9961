/**
 * OpenAPI v2: one document for everything. What v2 can't say is left out: defaults, combinations,
 * nullable, and the fields of what keeps unknown fields.
 *
 * Source: apiextensions-apiserver pkg/controller/openapi/v2/conversion.go; kube-openapi pkg/builder.
 */
import { isJsonObject, type JsonObject, type JsonValue } from "../apimachinery/json.ts";
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
import { embed, listSchema, rootSchema } from "./schemas.ts";

const mediaTypes = ["application/json", "application/yaml"];
const preserve = "x-kubernetes-preserve-unknown-fields";
/** `default` is left out as the aggregator leaves it out; the rest v2 has no word for. */
const leftOut = new Set(["anyOf", "oneOf", "allOf", "not", "nullable", "default"]);

/** Builds the document. Gives the event loop a turn after each resource. */
export async function buildV2(served: readonly ServedResource[]): Promise<JsonObject> {
  const groupVersions = served.map(({ definition, version }) => ({ group: definition.group, version: version.name }));
  const definitions: JsonObject = metaTypes(ref, groupVersions);
  const paths: JsonObject = {};
  for (const resource of served) {
    const { definition, version } = resource;
    const name = definitionName(definition.group, version.name, definition.kind);
    const listName = definitionName(definition.group, version.name, definition.listKind);
    definitions[name] = rootSchema(resource, await simplified(resource), ref);
    definitions[listName] = listSchema(resource, ref(name, ""), ref);
    for (const entry of pathsOf(resource)) paths[entry.path] = pathItem(entry, resource, name, listName);
    await turn();
  }
  return { swagger: "2.0", info: { title: "Annex", version: "v0.1.0" }, paths, definitions };
}

function ref(name: string, description: string): JsonObject {
  const reference = { $ref: `#/definitions/${name}` };
  return description === "" ? reference : { ...reference, description };
}

/** Gives a kind's schema as v2 can say it; undefined for one that takes any field, whose fields can't be named. */
async function simplified({ version: { schema } }: ServedResource): Promise<JsonObject | undefined> {
  if (schema === undefined || schema[preserve] === true) return undefined;
  return await finishInSlices(rewriteSteps(schema, simplify));
}

/** Gives one schema as v2 can say it. */
function simplify(schema: JsonObject): JsonObject {
  const out: JsonObject = {};
  for (const key of Object.keys(schema)) if (!leftOut.has(key)) out[key] = schema[key] as JsonValue;
  const { properties, additionalProperties, nullable } = schema;
  const isOpen = schema[preserve] === true;
  if (isOpen || nullable === true) {
    // kubectl can't read fields or items of a value without a type, nor fields that are not named.
    delete out["properties"];
    delete out["items"];
    if (nullable === true || schema["type"] === "object") delete out["type"];
  } else if (isJsonObject(properties)) withoutNullable(out, properties);
  if (out["type"] === "array" && out["items"] === undefined) delete out["type"];
  if (isJsonObject(additionalProperties) && additionalProperties["nullable"] === true) delete out["required"];
  if (schema["x-kubernetes-embedded-resource"] === true && !isOpen) embed(out, ref);
  return out;
}

/** A field that may be null is not required in v2: null can't be said there. */
function withoutNullable(out: JsonObject, properties: JsonObject): void {
  const { required } = out;
  if (!Array.isArray(required)) return;
  const kept = required.filter((name) => {
    const property = properties[String(name)];
    return !isJsonObject(property) || property["nullable"] !== true;
  });
  if (kept.length === 0) delete out["required"];
  else out["required"] = kept;
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
  const isText = Object.values(operation.answers).includes("text");
  const names: Readonly<Record<Exclude<Shape, "text">, string>> = {
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
      schema: shape === "text" ? { type: "string" } : { $ref: `#/definitions/${names[shape]}` },
    };
  }
  const body = operation.body;
  return {
    description: operation.description,
    consumes: isText ? ["*/*"] : [...(operation.mediaTypes ?? mediaTypes)],
    produces: isText ? ["*/*"] : mediaTypes,
    schemes: ["https"],
    operationId: operation.id,
    tags: [operation.tag],
    parameters: [
      ...(body === undefined
        ? []
        : [
            {
              name: "body",
              in: "body",
              // DeleteOptions may be left out.
              ...(body === "deleteOptions" ? {} : { required: true }),
              schema: body === "text" ? { type: "string" } : { $ref: `#/definitions/${names[body]}` },
            },
          ]),
      ...operation.parameters.map(queryParameter),
    ],
    responses,
    "x-kubernetes-action": operation.action,
    "x-kubernetes-group-version-kind": operation.kind ? { ...operation.kind } : gvkOf(resource),
  };
}

function pathParameter(name: string, description: string): JsonObject {
  return { name, in: "path", description, required: true, type: "string", uniqueItems: true };
}

function queryParameter({ name, type, description }: Parameter): JsonObject {
  return { name, in: "query", description, type, uniqueItems: true };
}
