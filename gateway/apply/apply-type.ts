/**
 * What apply must know of a value's type: where it is one thing, and where it has parts that several
 * managers can own.
 *
 * A type says what a scalar, a list and a map there would be; most allow one of them. Types are trees
 * without cycles, so that a walk over a value goes as deep as its type and no deeper.
 * Source: structured-merge-diff schema/elements.go, typed/{helpers,parser}.go.
 */
import type { JsonValue } from "../apimachinery/json.ts";
import { fieldElement } from "./path-element.ts";

/** What a scalar may be; `untyped`: any of them. */
export type ScalarType = "numeric" | "string" | "boolean" | "untyped";

/** A list. Atomic: one thing. Associative: items that their keys tell apart or, without keys, their value. */
export interface ListType {
  readonly isAtomic: boolean;
  readonly keys: readonly string[];
  /** What a key is taken for where an item leaves it out. */
  readonly keyDefaults: ReadonlyMap<string, JsonValue>;
  readonly items: ApplyType;
}

/** A declared field of a map. */
export interface FieldType {
  readonly element: string;
  readonly type: ApplyType;
}

/** A map: declared fields, and what every further key holds (undefined: there is none). */
export interface MapType {
  readonly isAtomic: boolean;
  readonly fields: ReadonlyMap<string, FieldType>;
  readonly further: ApplyType | undefined;
  /** Whether sets are left as they are here when the schema has changed: nothing is declared. */
  readonly isDeduced: boolean;
}

/** A type. */
export interface ApplyType {
  readonly scalar: ScalarType | undefined;
  readonly list: ListType | undefined;
  readonly map: MapType | undefined;
  /** Whether any value fits, whatever it holds. */
  readonly isOpen: boolean;
}

/** Gives the type of a scalar. */
export function scalarType(scalar: ScalarType): ApplyType {
  return { scalar, list: undefined, map: undefined, isOpen: false };
}

/** Gives the type of a list that is one thing, or of one whose items have owners of their own. */
export function listType(items: ApplyType, keys?: readonly string[] | "set"): ApplyType {
  const keyDefaults = new Map<string, JsonValue>();
  const list = { isAtomic: keys === undefined, keys: Array.isArray(keys) ? keys : [], keyDefaults, items };
  return { scalar: undefined, list, map: undefined, isOpen: false };
}

/** Gives the type of a map of declared fields. */
export function structType(fields: Readonly<Record<string, ApplyType>>, isAtomic = false): ApplyType {
  const map = { isAtomic, fields: fieldTypes(Object.entries(fields)), further: undefined, isDeduced: false };
  return { scalar: undefined, list: undefined, map, isOpen: false };
}

/** Gives the type of a map whose keys are free. */
export function mapOf(further: ApplyType, isAtomic = false): ApplyType {
  const map = { isAtomic, fields: new Map(), further, isDeduced: further.isOpen || further.scalar === "untyped" };
  return { scalar: undefined, list: undefined, map, isOpen: false };
}

/** Gives declared fields as a map type holds them. */
export function fieldTypes(entries: Iterable<readonly [string, ApplyType]>): Map<string, FieldType> {
  return new Map([...entries].map(([name, type]) => [name, { element: fieldElement(name), type }]));
}

/** Any value, as one thing. */
export const untypedAtomic: ApplyType = (() => {
  const none = { scalar: undefined, list: undefined, map: undefined, isOpen: true };
  const list = { isAtomic: true, keys: [], keyDefaults: new Map(), items: none };
  const map = { isAtomic: true, fields: new Map(), further: none, isDeduced: true };
  return { scalar: "untyped", list, map, isOpen: true };
})();

/**
 * Levels of maps that are told apart where no schema says what they hold. Kubernetes has no such limit,
 * but then its stack has none either; real objects stay below twenty. What is deeper is one thing.
 */
const maxDeducedLevels = 400;

/** Any value, whose maps are granular and lists atomic: what has no schema. */
export const deduced: ApplyType = (() => {
  let type = untypedAtomic;
  for (let level = 0; level < maxDeducedLevels; level++) {
    const map = { isAtomic: false, fields: new Map(), further: type, isDeduced: true };
    type = { scalar: "untyped", list: untypedAtomic.list, map, isOpen: true };
  }
  return type;
})();

/** Gives the type of a key's value and the key's element; undefined if the map has no such key. */
export function typeOfKey(map: MapType, key: string): ApplyType | undefined {
  return map.fields.get(key)?.type ?? map.further;
}

/** Gives the type below an element of a set; undefined if there is none. */
export function typeOfElement(type: ApplyType | undefined, element: string): ApplyType | undefined {
  if (type === undefined) return undefined;
  if (element.startsWith("f:")) return type.map === undefined ? undefined : typeOfKey(type.map, element.slice(2));
  return element.startsWith("k:") ? type.list?.items : undefined;
}

/** Which part of a type a value is: `none` for one that the type doesn't allow, null among them. */
export type Shape = "scalar" | "list" | "map" | "none";

/** Gives the part of the type that the value is of. */
export function shapeOf(type: ApplyType, value: JsonValue): Shape {
  if (value === null) return "none";
  if (Array.isArray(value)) return type.list === undefined ? "none" : "list";
  if (typeof value === "object") return type.map === undefined ? "none" : "map";
  return type.scalar === undefined ? "none" : "scalar";
}

/** Gives the part of the type by which a value is treated that no part allows: null, most of all. */
export function fallbackOf(type: ApplyType): Shape {
  if (type.map !== undefined) return "map";
  if (type.scalar !== undefined) return "scalar";
  return type.list === undefined ? "none" : "list";
}

/** Gives the part of the type by which a value is treated. */
export function treatedAs(type: ApplyType, value: JsonValue): Shape {
  const shape = shapeOf(type, value);
  return shape === "none" ? fallbackOf(type) : shape;
}
