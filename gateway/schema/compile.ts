/**
 * Checks that a schema is structural and compiles it.
 *
 * Nothing is repaired: what kube-apiserver would refuse, or what would break clients that read our
 * OpenAPI, is a fault with its path.
 * Source: apiextensions-apiserver pkg/apiserver/schema/{validation,complete,convert}.go,
 * pkg/apis/apiextensions/validation/validation.go.
 */
import { encodeJson, isJsonObject, type JsonObject } from "../apimachinery/json.ts";
import { maxSchemaDepth, type Schema, type SchemaNode, type SizeRules } from "./node.ts";
import { compilePattern } from "./pattern.ts";
import { validateNow } from "./validate.ts";

/** One thing that is wrong with a schema. */
export interface SchemaFault {
  /** `properties[spec].items.type`, from the schema's root. */
  readonly path: string;
  readonly message: string;
}

/** Faults that are collected before the rest is left unsaid. */
const maxFaults = 50;
const knownTypes = new Set(["object", "array", "string", "integer", "number", "boolean"]);
/** What must not stand inside allOf, anyOf, oneOf and not. */
const forbiddenNested = [
  "additionalProperties",
  "default",
  "title",
  "description",
  "nullable",
  "x-kubernetes-preserve-unknown-fields",
  "x-kubernetes-embedded-resource",
  "x-kubernetes-int-or-string",
  "x-kubernetes-list-map-keys",
  "x-kubernetes-list-type",
  "x-kubernetes-map-type",
] as const;
const refused = [
  "$ref",
  "$schema",
  "id",
  "patternProperties",
  "definitions",
  "dependencies",
  "additionalItems",
] as const;

/** Compiles a schema, or says what is wrong with it. */
export function compileSchema(source: JsonObject): { schema: Schema } | { faults: readonly SchemaFault[] } {
  const compiler = new Compiler();
  const root = compiler.node(source, "", "root", 0);
  compiler.root(source);
  if (compiler.faults.length === 0) compiler.checkDefaults(root, "");
  return compiler.faults.length > 0 ? { faults: compiler.faults } : { schema: { root, source } };
}

type Place = "root" | "field" | "item" | "nested";

class Compiler {
  readonly faults: SchemaFault[] = [];

  #fault(path: string, message: string): void {
    if (this.faults.length < maxFaults) this.faults.push({ path, message });
  }

  root(source: JsonObject): void {
    if (source["type"] !== "object")
      this.#fault("type", `Invalid value: ${encodeJson(source["type"] ?? "")}: must be object at the root`);
    if (source["additionalProperties"] !== undefined)
      this.#fault("additionalProperties", "Forbidden: must not be used at the root");
    const properties = source["properties"];
    const metadata = isJsonObject(properties) ? properties["metadata"] : undefined;
    if (!isJsonObject(metadata)) return;
    const inner = metadata["properties"];
    for (const key of isJsonObject(inner) ? Object.keys(inner) : []) {
      if (key !== "name" && key !== "generateName") {
        this.#fault(
          "properties[metadata]",
          "Forbidden: must not specify anything other than name and generateName, but metadata is implicitly specified",
        );
      }
    }
  }

  node(source: JsonObject, path: string, place: Place, depth: number, outer?: SchemaNode): SchemaNode {
    if (depth > maxSchemaDepth) {
      this.#fault(path, `must not be nested deeper than ${maxSchemaDepth} levels`);
      return this.#empty(source);
    }
    for (const key of refused) if (source[key] !== undefined) this.#fault(at(path, key), "Forbidden: is not supported");
    if (source["uniqueItems"] === true)
      this.#fault(
        at(path, "uniqueItems"),
        "Forbidden: uniqueItems cannot be set to true since the runtime complexity becomes quadratic",
      );
    const intOrString = this.#flag(source, "x-kubernetes-int-or-string", path);
    const preserveUnknown = this.#flag(source, "x-kubernetes-preserve-unknown-fields", path);
    const embedded = this.#flag(source, "x-kubernetes-embedded-resource", path);
    const type = this.#type(source, path, place, intOrString, preserveUnknown);
    const isNested = place === "nested";
    if (isNested) {
      for (const key of forbiddenNested) {
        const value = source[key];
        if (value !== undefined && value !== false && value !== "")
          this.#fault(at(path, key), "Forbidden: must be undefined to be structural");
      }
    }
    if (intOrString && (preserveUnknown || embedded)) {
      this.#fault(
        path,
        "Invalid value: x-kubernetes-preserve-unknown-fields and x-kubernetes-embedded-resource must be false if x-kubernetes-int-or-string is true",
      );
    }
    if (embedded && type !== "object")
      this.#fault(at(path, "type"), "Invalid value: must be object if x-kubernetes-embedded-resource is true");
    const properties = this.#properties(source, path, depth, isNested);
    const additional = isNested ? undefined : this.#additional(source, path, depth);
    if (properties.size > 0 && additional !== undefined) {
      this.#fault(
        at(path, "additionalProperties"),
        "Forbidden: additionalProperties and properties are mutual exclusive",
      );
    }
    const items = this.#items(source, path, type, depth, isNested);
    const listType = this.#word(source, "x-kubernetes-list-type", path, ["atomic", "set", "map"]);
    const listMapKeys = this.#texts(source, "x-kubernetes-list-map-keys", path);
    if (listType !== undefined && type !== "array" && !isNested)
      this.#fault(at(path, "type"), "Invalid value: must be array if x-kubernetes-list-type is specified");
    if (listType === "map") this.#checkListMap(items, listMapKeys, path);
    else if (listMapKeys.length > 0)
      this.#fault(
        at(path, "x-kubernetes-list-map-keys"),
        "Forbidden: must be undefined if x-kubernetes-list-type is not map",
      );
    const mapType = this.#word(source, "x-kubernetes-map-type", path, ["granular", "atomic"]);
    const draft: SchemaNode = {
      types: intOrString ? ["integer", "string"] : type === "" ? [] : [type],
      nullable: this.#flag(source, "nullable", path),
      format: typeof source["format"] === "string" ? source["format"] : "",
      properties,
      additional,
      items,
      required: this.#texts(source, "required", path),
      enumeration: Array.isArray(source["enum"]) ? source["enum"] : undefined,
      number: this.#numberRules(source, path),
      length: this.#sizeRules(source, path, "minLength", "maxLength"),
      itemCount: this.#sizeRules(source, path, "minItems", "maxItems"),
      propertyCount: this.#sizeRules(source, path, "minProperties", "maxProperties"),
      pattern: this.#pattern(source, path),
      allOf: [],
      anyOf: [],
      oneOf: [],
      not: undefined,
      defaultValue: isNested ? undefined : source["default"],
      preserveUnknown,
      embedded,
      intOrString,
      listType,
      listMapKeys,
      mapType,
      rules: Array.isArray(source["x-kubernetes-validations"]) ? source["x-kubernetes-validations"] : [],
      hasDefaults: false,
      hasListTypes: false,
      source,
    };
    const skeleton = outer ?? draft;
    const nested = (key: "allOf" | "anyOf" | "oneOf") =>
      this.#nestedList(source, key, path, depth, skeleton, intOrString);
    const children = [
      ...properties.values(),
      ...(additional === undefined || additional === true ? [] : [additional]),
      ...(items === undefined ? [] : [items]),
    ];
    const not = source["not"];
    const made: SchemaNode = {
      ...draft,
      allOf: nested("allOf"),
      anyOf: nested("anyOf"),
      oneOf: nested("oneOf"),
      not: isJsonObject(not) ? this.node(not, at(path, "not"), "nested", depth + 1, skeleton) : undefined,
      hasDefaults: draft.defaultValue !== undefined || children.some((child) => child.hasDefaults),
      hasListTypes:
        listType === "set" || listType === "map" || embedded || children.some((child) => child.hasListTypes),
    };
    if (isNested && outer !== undefined) this.#checkSkeleton(made, outer, path);
    return made;
  }

  /** Whatever a nested schema speaks of must exist outside. */
  #checkSkeleton(node: SchemaNode, outer: SchemaNode, path: string): void {
    for (const [key, child] of node.properties) {
      const target = outer.properties.get(key) ?? (outer.additional === true ? undefined : outer.additional);
      if (target !== undefined) this.#checkSkeleton(child, target, `${at(path, "properties")}[${key}]`);
      else if (!outer.preserveUnknown && outer.additional !== true) {
        this.#fault(
          `${at(path, "properties")}[${key}]`,
          "Required value: must be specified outside of allOf, anyOf, oneOf and not as well",
        );
      }
    }
    if (node.items !== undefined && outer.items === undefined && outer.types[0] === "array") {
      this.#fault(
        at(path, "items"),
        "Required value: must be specified outside of allOf, anyOf, oneOf and not as well",
      );
    } else if (node.items !== undefined && outer.items !== undefined)
      this.#checkSkeleton(node.items, outer.items, at(path, "items"));
  }

  /** Defaults must be valid themselves: else an object that nobody touched could not be written. */
  checkDefaults(node: SchemaNode, path: string): void {
    if (node.defaultValue !== undefined && !(node.defaultValue === null && node.nullable)) {
      const fault = validateNow(node, node.defaultValue)[0];
      if (fault !== undefined) this.#fault(at(path, "default"), fault.message);
    }
    if (!node.hasDefaults) return;
    for (const [key, child] of node.properties) this.checkDefaults(child, `${at(path, "properties")}[${key}]`);
    if (node.items !== undefined) this.checkDefaults(node.items, at(path, "items"));
    if (node.additional !== undefined && node.additional !== true)
      this.checkDefaults(node.additional, at(path, "additionalProperties"));
  }

  #type(source: JsonObject, path: string, place: Place, intOrString: boolean, preserveUnknown: boolean): string {
    const type = source["type"];
    if (type === undefined || type === "") {
      if (place !== "nested" && !intOrString && !preserveUnknown) {
        const where =
          place === "root"
            ? "at the root"
            : place === "item"
              ? "for specified array items"
              : "for specified object fields";
        this.#fault(at(path, "type"), `Required value: must not be empty ${where}`);
      }
      return "";
    }
    if (typeof type !== "string" || !knownTypes.has(type)) {
      this.#fault(
        at(path, "type"),
        `Unsupported value: ${encodeJson(type)}: supported values: "array", "boolean", "integer", "number", "object", "string"`,
      );
      return "";
    }
    return type;
  }

  #properties(source: JsonObject, path: string, depth: number, isNested: boolean): ReadonlyMap<string, SchemaNode> {
    const properties = source["properties"];
    const made = new Map<string, SchemaNode>();
    if (properties === undefined) return made;
    if (!isJsonObject(properties)) {
      this.#fault(at(path, "properties"), "Invalid value: must be an object");
      return made;
    }
    for (const key of Object.keys(properties).sort()) {
      const inner = properties[key];
      const innerPath = `${at(path, "properties")}[${key}]`;
      if (!isJsonObject(inner)) this.#fault(innerPath, "Invalid value: must be an object");
      else made.set(key, this.node(inner, innerPath, isNested ? "nested" : "field", depth + 1));
    }
    return made;
  }

  #additional(source: JsonObject, path: string, depth: number): SchemaNode | true | undefined {
    const additional = source["additionalProperties"];
    if (additional === undefined) return undefined;
    if (additional === true) return true;
    if (isJsonObject(additional)) return this.node(additional, at(path, "additionalProperties"), "field", depth + 1);
    this.#fault(at(path, "additionalProperties"), "Forbidden: additionalProperties cannot be set to false");
    return undefined;
  }

  #items(source: JsonObject, path: string, type: string, depth: number, isNested: boolean): SchemaNode | undefined {
    const items = source["items"];
    if (isJsonObject(items)) return this.node(items, at(path, "items"), isNested ? "nested" : "item", depth + 1);
    if (items !== undefined)
      this.#fault(at(path, "items"), "Forbidden: items must be a schema object and not an array");
    else if (type === "array" && !isNested) this.#fault(at(path, "items"), "Required value: must be specified");
    return undefined;
  }

  #nestedList(
    source: JsonObject,
    key: "allOf" | "anyOf" | "oneOf",
    path: string,
    depth: number,
    skeleton: SchemaNode,
    intOrString: boolean,
  ): SchemaNode[] {
    const list = source[key];
    if (list === undefined) return [];
    if (!Array.isArray(list)) {
      this.#fault(at(path, key), "Invalid value: must be a list");
      return [];
    }
    return list.flatMap((inner, index) => {
      const innerPath = `${at(path, key)}[${index}]`;
      if (!isJsonObject(inner)) {
        this.#fault(innerPath, "Invalid value: must be an object");
        return [];
      }
      const isTypeChoice = intOrString && (inner["type"] === "integer" || inner["type"] === "string");
      const isChoiceOfTypes = intOrString && Array.isArray(inner["anyOf"]);
      if (inner["type"] !== undefined && !isTypeChoice)
        this.#fault(at(innerPath, "type"), "Forbidden: must be empty to be structural");
      if (isChoiceOfTypes)
        return [this.node({ ...inner, "x-kubernetes-int-or-string": true }, innerPath, "field", depth + 1)];
      return [this.node(inner, innerPath, "nested", depth + 1, skeleton)];
    });
  }

  #checkListMap(items: SchemaNode | undefined, keys: readonly string[], path: string): void {
    if (keys.length === 0)
      this.#fault(
        at(path, "x-kubernetes-list-map-keys"),
        "Required value: must not be empty if x-kubernetes-list-type is map",
      );
    if (items === undefined || items.types[0] !== "object") {
      this.#fault(
        at(path, "items.type"),
        "Invalid value: must be object if parent array's x-kubernetes-list-type is map",
      );
      return;
    }
    for (const key of keys) {
      const inner = items.properties.get(key);
      if (inner === undefined)
        this.#fault(
          at(path, "x-kubernetes-list-map-keys"),
          `Invalid value: "${key}": entries must all be names of item properties`,
        );
      else if (!items.required.includes(key) && inner.defaultValue === undefined) {
        this.#fault(
          at(path, `items.properties[${key}].default`),
          "Required value: this property is in x-kubernetes-list-map-keys, so it must have a default or be a required property",
        );
      }
    }
  }

  #numberRules(source: JsonObject, path: string): SchemaNode["number"] {
    const read = (key: string): number | bigint | undefined => {
      const value = source[key];
      if (value === undefined || typeof value === "number" || typeof value === "bigint") return value;
      this.#fault(at(path, key), "Invalid value: must be a number");
      return undefined;
    };
    const rules = {
      minimum: read("minimum"),
      exclusiveMinimum: this.#flag(source, "exclusiveMinimum", path),
      maximum: read("maximum"),
      exclusiveMaximum: this.#flag(source, "exclusiveMaximum", path),
      multipleOf: read("multipleOf"),
    };
    const isUsed = rules.minimum !== undefined || rules.maximum !== undefined || rules.multipleOf !== undefined;
    return isUsed ? rules : undefined;
  }

  #sizeRules(source: JsonObject, path: string, minKey: string, maxKey: string): SizeRules | undefined {
    const read = (key: string): number | undefined => {
      const value = source[key];
      if (value === undefined) return undefined;
      if (typeof value === "number" && Number.isInteger(value)) return value;
      if (typeof value === "bigint") return Number(value);
      this.#fault(at(path, key), "Invalid value: must be an integer");
      return undefined;
    };
    const [min, max] = [read(minKey), read(maxKey)];
    return min === undefined && max === undefined ? undefined : { min, max };
  }

  #pattern(source: JsonObject, path: string): SchemaNode["pattern"] {
    const pattern = source["pattern"];
    if (pattern === undefined || pattern === "") return undefined;
    if (typeof pattern !== "string") {
      this.#fault(at(path, "pattern"), "Invalid value: must be a string");
      return undefined;
    }
    try {
      return compilePattern(pattern);
    } catch (error) {
      this.#fault(
        at(path, "pattern"),
        `Invalid value: ${encodeJson(pattern)}: must be a valid regular expression, but isn't: ${(error as Error).message}`,
      );
      return undefined;
    }
  }

  #flag(source: JsonObject, key: string, path: string): boolean {
    const value = source[key];
    if (value !== undefined && typeof value !== "boolean")
      this.#fault(at(path, key), "Invalid value: must be a boolean");
    return value === true;
  }

  #texts(source: JsonObject, key: string, path: string): string[] {
    const value = source[key];
    if (value === undefined) return [];
    if (Array.isArray(value) && value.every((item) => typeof item === "string")) return value as string[];
    this.#fault(at(path, key), "Invalid value: must be a list of strings");
    return [];
  }

  #word<W extends string>(source: JsonObject, key: string, path: string, words: readonly W[]): W | undefined {
    const value = source[key];
    if (value === undefined) return undefined;
    const found = words.find((word) => word === value);
    if (found === undefined)
      this.#fault(
        at(path, key),
        `Unsupported value: ${encodeJson(value)}: supported values: ${words.map((word) => `"${word}"`).join(", ")}`,
      );
    return found;
  }

  #empty(source: JsonObject): SchemaNode {
    return {
      types: [],
      nullable: false,
      format: "",
      properties: new Map(),
      additional: undefined,
      items: undefined,
      required: [],
      enumeration: undefined,
      number: undefined,
      length: undefined,
      itemCount: undefined,
      propertyCount: undefined,
      pattern: undefined,
      allOf: [],
      anyOf: [],
      oneOf: [],
      not: undefined,
      defaultValue: undefined,
      preserveUnknown: false,
      embedded: false,
      intOrString: false,
      listType: undefined,
      listMapKeys: [],
      mapType: undefined,
      rules: [],
      hasDefaults: false,
      hasListTypes: false,
      source,
    };
  }
}

function at(path: string, key: string): string {
  return path === "" ? key : `${path}.${key}`;
}
