/**
 * A compiled schema: what the hot passes need of each node, computed once.
 *
 * The tree is as deep as the schema, never as deep as the data; compile bounds it.
 */
import type { JsonObject, JsonValue } from "../apimachinery/json.ts";
import type { Pattern } from "./pattern.ts";

/** Deepest schema that is compiled: real ones stay below forty. */
export const maxSchemaDepth = 200;

/** Bounds of a number. */
export interface NumberRules {
  readonly minimum: number | bigint | undefined;
  readonly exclusiveMinimum: boolean;
  readonly maximum: number | bigint | undefined;
  readonly exclusiveMaximum: boolean;
  readonly multipleOf: number | bigint | undefined;
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
  readonly format: string;
  readonly properties: ReadonlyMap<string, SchemaNode>;
  /** True: any value under any key; undefined: keys that aren't properties are unknown. */
  readonly additional: SchemaNode | true | undefined;
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
  /** Whether this node or one below has a default. */
  readonly hasDefaults: boolean;
  /** Whether this node or one below is a set, a map or an embedded resource. */
  readonly hasListTypes: boolean;
  /** The schema that this node was compiled from. */
  readonly source: JsonObject;
}

/** A version's compiled schema. */
export interface Schema {
  readonly root: SchemaNode;
  readonly source: JsonObject;
}

/** A value in a walk: where it is, and which node describes it. */
export interface Visit {
  readonly value: JsonValue;
  readonly node: SchemaNode | undefined;
  readonly path: string;
}

/** Gives the path of a field. */
export function childPath(path: string, key: string): string {
  return path === "" ? key : `${path}.${key}`;
}
