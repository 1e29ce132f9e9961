/**
 * Checks a declared schema as kube-apiserver checks a definition's, and compiles it.
 *
 * Nothing is repaired: what kube-apiserver would refuse is a fault with its path and its words. The
 * order is kube-apiserver's: structure, else defaults; then the rules of definitions.
 * Source: apiextensions-apiserver pkg/apis/apiextensions/validation/validation.go
 * (validateCustomResourceDefinitionValidation).
 */
import { type FieldError, fieldForbidden, fieldInvalid } from "../apimachinery/field-error.ts";
import { isJsonObject, type JsonObject } from "../apimachinery/json.ts";
import { finish, type Steps } from "../apimachinery/steps.ts";
import { definitionFaults } from "./crd-rules.ts";
import { defaultFaults } from "./default-rules.ts";
import { formatCheck, formatFor } from "./formats.ts";
import {
  formFaults,
  isSet,
  keyword,
  maxSchemaFaults,
  namedSchemas,
  numberOf,
  type SchemaFault,
  schemaOf,
  schemasOf,
  textOf,
  textsOf,
  valuesOf,
} from "./keywords.ts";
import type { NumberRules, Schema, SchemaNode, SizeRules } from "./node.ts";
import { PatternMemo } from "./pattern.ts";
import { structuralFaults, unconvertible } from "./structural.ts";

/** A compiled schema, or what is wrong with it. */
export type Compiled = { readonly schema: Schema } | { readonly faults: readonly SchemaFault[] };

/** Compiles a schema, or says what is wrong with it. */
export function compileSchema(source: JsonObject): Compiled {
  return finish(compileSchemaSteps(source));
}

/**
 * Compiles a schema step by step. A step is a whole pass, whatever its units: the largest schemas of
 * real projects (half a megabyte) take some milliseconds a pass.
 */
export function compileSchemaSteps(source: JsonObject): Steps<Compiled> {
  const patterns = new PatternMemo();
  const faults: FieldError[] = [];
  let ill: readonly SchemaFault[] = [];
  let why: string | undefined;
  let structure: readonly FieldError[] = [];
  let root: SchemaNode | undefined;
  const passes = [
    () => {
      ill = formFaults(source);
    },
    () => {
      if (isSet(source, "nullable")) faults.push(fieldForbidden("nullable", "nullable cannot be true at the root"));
      why = unconvertible(source);
    },
    () => {
      if (why === undefined) structure = structuralFaults(source, patterns);
      faults.push(...structure);
    },
    () => {
      if (why === undefined && structure.length === 0) root = compileNode(source, patterns);
    },
    () => {
      if (root !== undefined) faults.push(...defaultFaults(root));
    },
    () => {
      faults.push(...definitionFaults(source));
      if (faults.length === 0 && why !== undefined) faults.push(fieldInvalid("", "", why));
    },
  ];
  return {
    step() {
      // An ill-formed schema can't be read any further.
      if (ill.length === 0) passes.shift()?.();
      return ill.length > 0 || passes.length === 0;
    },
    result() {
      if (ill.length > 0) return { faults: ill };
      if (root !== undefined && faults.length === 0) return { schema: { root, source } };
      return { faults: faults.slice(0, maxSchemaFaults).map(({ field, message }) => ({ path: field, message })) };
    },
  };
}

function compileNode(source: JsonObject, patterns: PatternMemo): SchemaNode {
  const properties = new Map<string, SchemaNode>();
  for (const [key, inner] of namedSchemas(source, "properties")) properties.set(key, compileNode(inner, patterns));
  const additional = additionalOf(source, patterns);
  const items = schemaOf(source, "items");
  const itemNode = items === undefined ? undefined : compileNode(items, patterns);
  const children = [...properties.values()];
  if (typeof additional === "object") children.push(additional);
  if (itemNode !== undefined) children.push(itemNode);
  const not = schemaOf(source, "not");
  const listType = textOf(source, "x-kubernetes-list-type") as "atomic" | "set" | "map" | "";
  const mapType = textOf(source, "x-kubernetes-map-type") as "granular" | "atomic" | "";
  const intOrString = isSet(source, "x-kubernetes-int-or-string");
  const embedded = isSet(source, "x-kubernetes-embedded-resource");
  const type = textOf(source, "type");
  const types = intOrString ? ["integer", "string"] : type === "" ? [] : [type];
  const format = formatFor(textOf(source, "format"), types);
  const pattern = textOf(source, "pattern");
  const enumeration = valuesOf(source, "enum");
  const combined = (key: string) => schemasOf(source, key).map((inner) => compileNode(inner, patterns));
  const [allOf, anyOf, oneOf] = [combined("allOf"), combined("anyOf"), combined("oneOf")];
  return {
    types,
    nullable: isSet(source, "nullable"),
    format,
    formatCheck: formatCheck(format),
    properties,
    defaulted: [...properties].filter(([, child]) => child.defaultValue !== undefined),
    listTyped: [...properties].filter(([, child]) => child.hasListTypes).reverse(),
    additional,
    items: itemNode,
    required: textsOf(source, "required"),
    enumeration: enumeration.length > 0 ? enumeration : undefined,
    number: numberRules(source),
    length: sizeRules(source, "minLength", "maxLength"),
    itemCount: sizeRules(source, "minItems", "maxItems"),
    propertyCount: sizeRules(source, "minProperties", "maxProperties"),
    pattern: pattern === "" ? undefined : patterns.compile(pattern),
    allOf,
    anyOf,
    oneOf,
    not: not === undefined ? undefined : compileNode(not, patterns),
    defaultValue: keyword(source, "default"),
    preserveUnknown: isSet(source, "x-kubernetes-preserve-unknown-fields"),
    embedded,
    intOrString,
    listType: listType === "" ? undefined : listType,
    listMapKeys: textsOf(source, "x-kubernetes-list-map-keys"),
    mapType: mapType === "" ? undefined : mapType,
    rules: valuesOf(source, "x-kubernetes-validations"),
    hasCombinations: allOf.length + anyOf.length + oneOf.length > 0 || not !== undefined,
    hasListTypes: listType === "set" || listType === "map" || children.some((child) => child.hasListTypes),
    hasEmbedded: embedded || children.some((child) => child.hasEmbedded),
    source,
  };
}

function additionalOf(source: JsonObject, patterns: PatternMemo): SchemaNode | boolean | undefined {
  const additional = keyword(source, "additionalProperties");
  if (isJsonObject(additional)) return compileNode(additional, patterns);
  return typeof additional === "boolean" ? additional : undefined;
}

function numberRules(source: JsonObject): NumberRules | undefined {
  const [minimum, maximum] = [numberOf(source, "minimum"), numberOf(source, "maximum")];
  const multipleOf = numberOf(source, "multipleOf");
  if (minimum === undefined && maximum === undefined && multipleOf === undefined) return undefined;
  return {
    minimum,
    exclusiveMinimum: isSet(source, "exclusiveMinimum"),
    maximum,
    exclusiveMaximum: isSet(source, "exclusiveMaximum"),
    multipleOf,
  };
}

function sizeRules(source: JsonObject, minKey: string, maxKey: string): SizeRules | undefined {
  const [min, max] = [numberOf(source, minKey), numberOf(source, maxKey)];
  return min === undefined && max === undefined ? undefined : { min, max };
}
