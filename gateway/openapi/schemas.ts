/**
 * A definition's schema as OpenAPI shows it: with apiVersion, kind and metadata as every object has
 * them, at its root and in each embedded resource, and the list around it.
 *
 * What is not changed is shared with the definition, not copied.
 * Source: apiextensions-apiserver pkg/controller/openapi/builder/builder.go,
 * pkg/apiserver/schema/unfold.go.
 */
import { isJsonObject, type JsonObject, type JsonValue, newJsonObject } from "../apimachinery/json.ts";
import type { ServedResource } from "../apimachinery/resource.ts";
import { metaNames } from "./meta-types.ts";
import { gvkOf } from "./operations.ts";
import type { SchemaRule } from "./rewrite.ts";

/** Writes a reference to a type, with a description unless that is `""`. */
export type Ref = (name: string, description: string) => JsonObject;

const apiVersion = { description: "Group and version of the schema that the object follows.", type: "string" };
const kind = { description: "What the object is: the name of its schema, in CamelCase.", type: "string" };
const metadataText = "What every object carries about itself.";
const integerOrString: JsonObject = { anyOf: [{ type: "integer" }, { type: "string" }] };

/**
 * Gives the root of a kind around its fields.
 * @param fields undefined: nothing is said of them, for clients would refuse what is not named.
 */
export function rootSchema(resource: ServedResource, fields: JsonObject | undefined, ref: Ref): JsonObject {
  const selectable = resource.version.selectableFields.map((path) => ({ fieldPath: path.replace(/^\./, "") }));
  const extensions: JsonObject = {
    "x-kubernetes-group-version-kind": [gvkOf(resource)],
    ...(selectable.length > 0 ? { "x-kubernetes-selectable-fields": selectable } : {}),
  };
  if (fields === undefined) return { type: "object", ...extensions };
  const given = fields["properties"];
  return { ...fields, properties: withObjectFields(isJsonObject(given) ? given : {}, ref), ...extensions };
}

/**
 * Gives the rule that adds to a schema what it leaves unsaid: the fields of an embedded resource, the
 * two types of int-or-string.
 */
export function unfoldingRule(ref: Ref): SchemaRule {
  return (schema) => {
    const out: JsonObject = { ...schema };
    if (schema["x-kubernetes-int-or-string"] === true) unfoldIntOrString(out);
    if (schema["x-kubernetes-embedded-resource"] === true) embed(out, ref);
    return out;
  };
}

function withObjectFields(properties: JsonObject, ref: Ref): JsonObject {
  const out = newJsonObject();
  for (const name of Object.keys(properties)) out[name] = properties[name] as JsonValue;
  out["apiVersion"] = apiVersion;
  out["kind"] = kind;
  out["metadata"] = ref(metaNames.objectMeta, metadataText);
  return out;
}

/** Adds the fields that every object has to the schema of an embedded one. */
export function embed(schema: JsonObject, ref: Ref): void {
  const given = schema["properties"];
  schema["properties"] = withObjectFields(isJsonObject(given) ? given : {}, ref);
  const required = Array.isArray(schema["required"]) ? schema["required"] : [];
  const missing = ["kind", "apiVersion"].filter((field) => !required.includes(field));
  if (missing.length > 0) schema["required"] = [...required, ...missing];
}

function unfoldIntOrString(schema: JsonObject): void {
  const { anyOf, allOf } = schema;
  const first = Array.isArray(allOf) ? allOf[0] : undefined;
  if (isIntegerOrString(anyOf) || (isJsonObject(first) && isIntegerOrString(first["anyOf"]))) return;
  if (anyOf === undefined) schema["anyOf"] = integerOrString["anyOf"] as JsonValue;
  else schema["allOf"] = [integerOrString, ...(Array.isArray(allOf) ? allOf : [])];
}

function isIntegerOrString(anyOf: JsonValue | undefined): boolean {
  if (!Array.isArray(anyOf) || anyOf.length !== 2) return false;
  const types = anyOf.map((one) => (isJsonObject(one) ? one["type"] : undefined));
  return types[0] === "integer" && types[1] === "string";
}

/** Gives the schema of a kind's list. */
export function listSchema(resource: ServedResource, item: JsonObject, ref: Ref): JsonObject {
  const { kind: word, listKind } = resource.definition;
  return {
    description: `${listKind} is a list of ${word}`,
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
