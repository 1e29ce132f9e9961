/**
 * A compiled schema: what the hot passes need of each node, computed once.
 *
 * The tree is as deep as the schema, never as deep as the data; the lint bounds it.
 */
import type { JsonObject, JsonValue } from "../apimachinery/json.ts";
import type { Pattern } from "./pattern.ts";

/** Deepest schema that is compiled: real ones stay below forty. */
export const maxSchemaDepth = 200;

/** Bounds of a number. */
export interface NumberRules {
  readonly minimum: number | undefined;
  readonly exclusiveMinimum: boolean;
  readonly maximum: number | undefined;
  readonly exclusiveMaximum: boolean;
  readonly multipleOf: number | undefined;
}

/** Bounds of a size: characters, items or properties. */
export interface SizeRules {
  readonly min: number | undefined;
  readonly max: number | undefined;
}

/** One node. */
export interface SchemaNode {
  /** Empty: any type. `["integer", "string"]` for int-or-string. */
  readonly types: readonly string[];
  readonly nullable: boolean;
  /** `""` where there is none, or one that Kubernetes ignores for this type. */
  readonly format: string;
  /** Whether the format is one of text that is looked at. */
  readonly formatCheck: ((text: string) => boolean) | undefined;
  /** Sorted by key. */
  readonly properties: ReadonlyMap<string, SchemaNode>;
  /** The properties that have a default. */
  readonly defaulted: readonly (readonly [string, SchemaNode])[];
  /** The properties in or below which there is a list of type set or map, last key first. */
  readonly listTyped: readonly (readonly [string, SchemaNode])[];
  /** True: any value under any key; false: no other keys; undefined: keys that aren't properties are unknown. */
  readonly additional: SchemaNode | boolean | undefined;
  readonly items: SchemaNode | undefined;
  readonly required: readonly string[];
  readonly enumeration: readonly JsonValue[] | undefined;
  readonly number: NumberRules | undefined;
  readonly length: SizeRules | undefined;
  readonly itemCount: SizeRules | undefined;
  readonly propertyCount: SizeRules | undefined;
  readonly pattern: Pattern | undefined;
  readonly allOf: readonly SchemaNode[];
  readonly anyOf: readonly SchemaNode[];
  readonly oneOf: readonly SchemaNode[];
  readonly not: SchemaNode | undefined;
  /** Undefined: none. */
  readonly defaultValue: JsonValue | undefined;
  readonly preserveUnknown: boolean;
  readonly embedded: boolean;
  readonly intOrString: boolean;
  readonly listType: "atomic" | "set" | "map" | undefined;
  readonly listMapKeys: readonly string[];
  readonly mapType: "granular" | "atomic" | undefined;
  /** CEL rules as they stand in the schema, for a later pass. */
  readonly rules: readonly JsonValue[];
  /** Whether allOf, anyOf, oneOf or not is there. */
  readonly hasCombinations: boolean;
  /** Whether this node or one below is a list of type set or map. */
  readonly hasListTypes: boolean;
  /** Whether this node or one below is an embedded resource. */
  readonly hasEmbedded: boolean;
  /** The schema that this node was compiled from. */
  readonly source: JsonObject;
}

/** A version's compiled schema. */
export interface Schema {
  readonly root: SchemaNode;
  readonly source: JsonObject;
}

/** Gives the path of a field. */
export function childPath(path: string, key: string): string {
  return path === "" ? key : `${path}.${key}`;
}

/** Gives the node that describes a key: its property, or that of all further keys; undefined if there is none. */
export function nodeOfKey(node: SchemaNode, key: string): SchemaNode | undefined {
  const property = node.properties.get(key);
  if (property !== undefined) return property;
  return typeof node.additional === "object" ? node.additional : undefined;
}
