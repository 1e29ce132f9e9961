/**
 * A definition's schema as OpenAPI shows it: with apiVersion, kind and metadata as every object has
 * them, and the list around it.
 *
 * Source: apiextensions-apiserver pkg/controller/openapi/builder/builder.go.
 */
import { isJsonObject, type JsonObject } from "../apimachinery/json.ts";
import type { ServedResource } from "../apimachinery/resource.ts";
import { metaNames } from "./meta-types.ts";
import { gvkOf } from "./operations.ts";

/** Writes a reference to a shared type. */
export type Ref = (name: string, description: string) => JsonObject;

const apiVersion = { description: "Group and version of the schema that the object follows.", type: "string" };
const kind = { description: "What the object is: the name of its schema, in CamelCase.", type: "string" };

/** Gives the schema of a kind. The definition's own is shared, not copied. */
export function kindSchema(resource: ServedResource, ref: Ref): JsonObject {
  const { schema } = resource.version;
  const given = schema?.["properties"];
  const keepsUnknown = schema === undefined || schema["x-kubernetes-preserve-unknown-fields"] === true;
  const selectable = resource.version.selectableFields.map((path) => ({ fieldPath: path.slice(1) }));
  return {
    ...(schema ?? {}),
    type: "object",
    ...(keepsUnknown && !isJsonObject(given)
      ? {}
      : {
          properties: {
            ...(isJsonObject(given) ? given : {}),
            apiVersion,
            kind,
            metadata: ref(metaNames.objectMeta, "What every object carries about itself."),
          },
        }),
    "x-kubernetes-group-version-kind": [gvkOf(resource)],
    ...(selectable.length > 0 ? { "x-kubernetes-selectable-fields": selectable } : {}),
  };
}

/** Gives the schema of a kind's list. */
export function listSchema(resource: ServedResource, item: JsonObject, ref: Ref): JsonObject {
  const { kind: word, listKind } = resource.definition;
  return {
    description: `${listKind} is a list of ${word}.`,
    type: "object",
    required: ["items"],
    properties: {
      apiVersion,
      kind,
      metadata: ref(metaNames.listMeta, "What every list carries about itself."),
      items: { description: `The objects of kind ${word}.`, type: "array", items: item },
    },
    "x-kubernetes-group-version-kind": [gvkOf(resource, listKind)],
  };
}
