/**
 * Value validation against a schema, with kube-apiserver's messages and in its order.
 *
 * The walk over objects and lists has its own stack; what stands inside allOf, anyOf, oneOf and not
 * is as deep as the schema, which is bounded. On an update a value that equals the old one at the
 * same place is not looked at: what was accepted stays accepted.
 * Source: kube-openapi pkg/validation/validate; apiextensions-apiserver
 * pkg/apiserver/validation/{validation,ratcheting}.go, pkg/apiserver/schema/listtype.
 */
import {
  type FieldError,
  fieldDuplicate,
  fieldInvalid,
  fieldNotSupported,
  fieldRequired,
  fieldTooLong,
  fieldTooMany,
  fieldTypeInvalid,
} from "../apimachinery/field-error.ts";
import { encodeJson, isJsonObject, type JsonObject, type JsonValue, jsonEqual } from "../apimachinery/json.ts";
import type { Steps } from "../apimachinery/steps.ts";
import { validateEmbedded } from "./embedded.ts";
import { formatCheck } from "./formats.ts";
import type { Schema, SchemaNode } from "./node.ts";

/** Faults that are collected: a broken 3 MiB object must not become an answer of gigabytes. */
const maxFaults = 1000;
const minInt64 = -(2 ** 63);
const maxInt64 = 2 ** 63;

interface Pending {
  readonly value: JsonValue;
  readonly old: JsonValue | undefined;
  readonly node: SchemaNode;
  readonly path: string;
  /** True: the children are done, and what comes after them is due. */
  readonly isAfter: boolean;
}

/**
 * Validates an object. A unit is one value.
 *
 * @param old the object as it was, for an update.
 */
export function validateSteps(schema: Schema, object: JsonObject, old?: JsonObject): Steps<readonly FieldError[]> {
  const faults: FieldError[] = [];
  const stack: Pending[] = [{ value: object, old, node: schema.root, path: "", isAfter: false }];
  let isFinished = false;

  function visit(item: Pending): void {
    const { value, old: before, node, path } = item;
    if (item.isAfter) {
      checkAfter(node, value, path, faults);
      return;
    }
    if (path !== "" && before !== undefined && jsonEqual(value, before)) return;
    checkBefore(node, value, path, faults);
    if (value === null) return;
    stack.push({ ...item, isAfter: true });
    if (Array.isArray(value)) pushItems(value, item);
    else if (isJsonObject(value)) pushFields(value, item);
  }

  function pushFields(value: JsonObject, { node, path, old: before }: Pending): void {
    const oldObject = isJsonObject(before) ? before : undefined;
    const children: Pending[] = [];
    for (const [key, inner] of childrenOf(node, value)) {
      if (path === "" && (key === "apiVersion" || key === "kind")) continue;
      const innerPath = path === "" ? key : `${path}.${key}`;
      children.push({
        value: value[key] as JsonValue,
        old: oldObject?.[key],
        node: inner,
        path: innerPath,
        isAfter: false,
      });
    }
    for (let index = children.length - 1; index >= 0; index--) stack.push(children[index] as Pending);
  }

  function pushItems(value: readonly JsonValue[], { node, path, old: before }: Pending): void {
    const { items } = node;
    if (items === undefined) return;
    const oldItem = correlator(node, before);
    for (let index = value.length - 1; index >= 0; index--) {
      const item = value[index] as JsonValue;
      stack.push({ value: item, old: oldItem(item), node: items, path: `${path}[${index}]`, isAfter: false });
    }
  }

  return {
    step(units) {
      for (let left = units; left > 0; left--) {
        const next = faults.length > maxFaults ? undefined : stack.pop();
        if (next !== undefined) {
          visit(next);
          continue;
        }
        if (!isFinished && schema.root.hasListTypes && faults.length <= maxFaults)
          faults.push(...listFaults(schema.root, object, old));
        isFinished = true;
        return true;
      }
      return false;
    },
    result: () => faults,
  };
}

/** Validates a small value at once, for a schema's own defaults. */
export function validateNow(node: SchemaNode, value: JsonValue): readonly FieldError[] {
  return deep(node, value, "").faults;
}

function listFaults(node: SchemaNode, object: JsonObject, old: JsonObject | undefined): FieldError[] {
  const faults: FieldError[] = [];
  // Lists that were already wrong don't stop an update of something else.
  if (old !== undefined) {
    const oldFaults: FieldError[] = [];
    checkLists(node, old, "", oldFaults);
    if (oldFaults.length > 0) return faults;
  }
  validateEmbedded(node, object, faults);
  checkLists(node, object, "", faults);
  return faults;
}

/** Gives the fields of an object that the node describes, in a fixed order. */
function* childrenOf(node: SchemaNode, value: JsonObject): Generator<readonly [string, SchemaNode]> {
  if (node.additional !== undefined && node.additional !== true) {
    for (const key of Object.keys(value).sort()) if (!node.properties.has(key)) yield [key, node.additional];
  }
  if (node.properties.size > 0) {
    for (const [key, inner] of node.properties) if (value[key] !== undefined) yield [key, inner];
  }
}

/** Finds the old item that is the same item: by its keys in a list of type map, else none. */
function correlator(node: SchemaNode, before: JsonValue | undefined): (item: JsonValue) => JsonValue | undefined {
  if (!Array.isArray(before) || node.listType !== "map") return () => undefined;
  const known = new Map<string, JsonValue>();
  for (const item of before) known.set(mapKey(node, item), item);
  return (item) => known.get(mapKey(node, item));
}

function mapKey(node: SchemaNode, item: JsonValue): string {
  if (!isJsonObject(item)) return "";
  return encodeJson(node.listMapKeys.map((key) => item[key] ?? null));
}

/** Type, combinations, strings, formats and numbers: what comes before a value's children. */
function checkBefore(node: SchemaNode, value: JsonValue, path: string, faults: FieldError[]): number {
  let passed = 0;
  const typeFault = typeFaultOf(node, value, path);
  if (typeFault !== undefined) faults.push(typeFault);
  else passed++;
  if (value === null) {
    checkEnum(node, value, path, faults);
    return passed;
  }
  passed += checkCombinations(node, value, path, faults);
  if (typeof value === "string") passed += checkString(node, value, path, faults);
  else if (typeof value === "number" || typeof value === "bigint") passed += checkNumber(node, value, path, faults);
  return passed;
}

/** Sizes of lists, enumerations, sizes and required fields of objects: what comes after the children. */
function checkAfter(node: SchemaNode, value: JsonValue, path: string, faults: FieldError[]): void {
  if (Array.isArray(value) && node.itemCount !== undefined) {
    const { min, max } = node.itemCount;
    if (min !== undefined && value.length < min) {
      faults.push(fieldInvalid(path, value.length, `${path} in body should have at least ${min} items`));
    }
    if (max !== undefined && value.length > max) faults.push(fieldTooMany(path, value.length, max));
  }
  checkEnum(node, value, path, faults);
  if (!isJsonObject(value)) return;
  if (node.propertyCount !== undefined) {
    const count = Object.keys(value).length;
    const { min, max } = node.propertyCount;
    if (min !== undefined && count < min) {
      faults.push(fieldInvalid(path, count, `${path} in body should have at least ${min} properties`));
    }
    if (max !== undefined && count > max) faults.push(fieldTooMany(path, count, max));
  }
  for (const key of node.required) {
    if (value[key] === undefined) faults.push(fieldRequired(path === "" ? key : `${path}.${key}`));
  }
}

function typeFaultOf(node: SchemaNode, value: JsonValue, path: string): FieldError | undefined {
  const { types, format } = node;
  const [type, valueFormat] = typeOf(value);
  if (value === null) {
    return types.length > 0 && !node.nullable ? wrongType(path, types.join(","), "null") : undefined;
  }
  const isWhole = type === "integer" || (type === "number" && Number.isInteger(value));
  const fitsNumber =
    (type === "number" && isWhole && types.includes("integer")) || (type === "integer" && types.includes("number"));
  const isTextOrList = type === "string" || type === "array";
  if (!isTextOrList && format !== "" && !(types.includes(type) || valueFormat === format || fitsNumber)) {
    return wrongType(path, format, valueFormat);
  }
  const wantsNumber = types.includes("number") || types.includes("integer");
  if (!wantsNumber && format !== "" && isTextOrList) return undefined;
  if (types.length > 0 && !(types.includes(type) || fitsNumber)) return wrongType(path, types.join(","), type);
  return undefined;
}

function wrongType(path: string, wanted: string, found: string): FieldError {
  return fieldTypeInvalid(path, found, `${path} in body must be of type ${wanted}: "${found}"`);
}

function typeOf(value: JsonValue): readonly [type: string, format: string] {
  if (Array.isArray(value)) return ["array", ""];
  switch (typeof value) {
    case "string":
      return ["string", ""];
    case "boolean":
      return ["boolean", ""];
    case "bigint":
      return ["integer", "int64"];
    case "number":
      return Number.isSafeInteger(value) ? ["integer", "int64"] : ["number", "double"];
    default:
      return ["object", ""];
  }
}

function checkString(node: SchemaNode, value: string, path: string, faults: FieldError[]): number {
  const fault = stringFaultOf(node, value, path);
  if (fault !== undefined) faults.push(fault);
  const check = node.format === "" ? undefined : formatCheck(node.format);
  const isFormatWrong = check !== undefined && !check(value);
  if (isFormatWrong) {
    faults.push(
      fieldTypeInvalid(path, value, `${path} in body must be of type ${node.format}: ${JSON.stringify(value)}`),
    );
  }
  return (fault === undefined ? 1 : 0) + (isFormatWrong ? 0 : 1);
}

function stringFaultOf(node: SchemaNode, value: string, path: string): FieldError | undefined {
  if (node.length !== undefined) {
    const { min, max } = node.length;
    // Code points are at most as many as code units: most strings need no count.
    if (max !== undefined && value.length > max && countRunes(value) > max) return fieldTooLong(path, max);
    if (min !== undefined && countRunes(value) < min) {
      return fieldInvalid(path, value, `${path} in body should be at least ${min} chars long`);
    }
  }
  if (node.pattern !== undefined && !node.pattern.test(value)) {
    return fieldInvalid(path, value, `${path} in body should match '${node.pattern.source}'`);
  }
  return undefined;
}

function countRunes(text: string): number {
  let count = text.length;
  for (let index = 0; index < text.length; index++) if ((text.charCodeAt(index) & 0xfc00) === 0xdc00) count--;
  return count;
}

function checkNumber(node: SchemaNode, value: number | bigint, path: string, faults: FieldError[]): number {
  const before = faults.length;
  if (node.types[0] === "integer" && !isInRange(node.format, value)) {
    const format =
      node.format === "int32" || node.format === "int64" ? `with format ${node.format}` : "(default format)";
    faults.push(fieldInvalid("<nil>", "", `Checked value must be of type integer ${format} in ${path}`));
  }
  const rules = node.number;
  if (rules === undefined) return faults.length === before ? 1 : 0;
  if (rules.multipleOf !== undefined && !isMultiple(value, rules.multipleOf)) {
    faults.push(fieldInvalid(path, value, `${path} in body should be a multiple of ${rules.multipleOf}`));
  }
  const { minimum, maximum } = rules;
  if (minimum !== undefined && (rules.exclusiveMinimum ? value <= minimum : value < minimum)) {
    faults.push(
      fieldInvalid(
        path,
        value,
        `${path} in body should be greater than ${rules.exclusiveMinimum ? "" : "or equal to "}${minimum}`,
      ),
    );
  }
  if (maximum !== undefined && (rules.exclusiveMaximum ? value >= maximum : value > maximum)) {
    faults.push(
      fieldInvalid(
        path,
        value,
        `${path} in body should be less than ${rules.exclusiveMaximum ? "" : "or equal to "}${maximum}`,
      ),
    );
  }
  return faults.length === before ? 1 : 0;
}

function isInRange(format: string, value: number | bigint): boolean {
  if (typeof value === "bigint") return format !== "int32";
  if (!Number.isInteger(value)) return false;
  if (format === "int32") return value >= -2147483648 && value <= 2147483647;
  return value >= minInt64 && value < maxInt64;
}

function isMultiple(value: number | bigint, factor: number | bigint): boolean {
  if (typeof value === "bigint" && (typeof factor === "bigint" || Number.isSafeInteger(factor)))
    return value % BigInt(factor) === 0n;
  const [number, step] = [Number(value), Number(factor)];
  const times = step < 1 ? (1 / step) * number : number / step;
  return Number.isInteger(times) || Math.abs(times - Math.round(times)) < 1e-9;
}

function checkEnum(node: SchemaNode, value: JsonValue, path: string, faults: FieldError[]): void {
  const allowed = node.enumeration;
  if (allowed === undefined || allowed.length === 0) return;
  for (const one of allowed) if (one === value || jsonEqual(one, value)) return;
  faults.push(
    fieldNotSupported(
      path,
      value,
      allowed.map((one) => (typeof one === "string" ? one : encodeJson(one))),
    ),
  );
}

interface Outcome {
  readonly faults: FieldError[];
  /** Checks that passed: what decides which of several failures is shown. */
  readonly passed: number;
}

/** Validates a value whole, for a node inside a combination. As deep as the schema. */
function deep(node: SchemaNode, value: JsonValue, path: string): Outcome {
  const faults: FieldError[] = [];
  let passed = checkBefore(node, value, path, faults);
  if (value === null) return { faults, passed };
  const add = (inner: SchemaNode, child: JsonValue, childPath: string) => {
    const outcome = deep(inner, child, childPath);
    faults.push(...outcome.faults);
    passed += outcome.passed;
  };
  if (Array.isArray(value)) {
    if (node.items !== undefined) {
      for (const [index, item] of value.entries()) add(node.items, item, `${path}[${index}]`);
    }
  } else if (isJsonObject(value)) {
    for (const [key, inner] of childrenOf(node, value))
      add(inner, value[key] as JsonValue, path === "" ? key : `${path}.${key}`);
  }
  const before = faults.length;
  checkAfter(node, value, path, faults);
  return { faults, passed: passed + (faults.length === before ? 1 : 0) };
}

function checkCombinations(node: SchemaNode, value: JsonValue, path: string, faults: FieldError[]): number {
  const before = faults.length;
  let passed = 0;
  if (node.anyOf.length > 0) {
    let best: Outcome | undefined;
    let isAny = false;
    for (const inner of node.anyOf) {
      const outcome = deep(inner, value, path);
      if (outcome.faults.length === 0) {
        isAny = true;
        passed += outcome.passed;
        break;
      }
      if (best === undefined || outcome.passed > best.passed) best = outcome;
    }
    if (!isAny) {
      faults.push(combined(`"${path}" must validate at least one schema (anyOf)`));
      faults.push(...(best?.faults ?? []));
    }
  }
  if (node.oneOf.length > 0) {
    let best: Outcome | undefined;
    let valid = 0;
    for (const inner of node.oneOf) {
      const outcome = deep(inner, value, path);
      if (outcome.faults.length === 0) {
        valid++;
        best = undefined;
        passed += outcome.passed;
      } else if (valid === 0 && (best === undefined || outcome.passed > best.passed)) best = outcome;
    }
    if (valid !== 1) {
      const found = valid === 0 ? "Found none valid" : `Found ${valid} valid alternatives`;
      faults.push(combined(`"${path}" must validate one and only one schema (oneOf). ${found}`));
      faults.push(...(best?.faults ?? []));
    }
  }
  if (node.allOf.length > 0) {
    let valid = 0;
    for (const inner of node.allOf) {
      const outcome = deep(inner, value, path);
      if (outcome.faults.length === 0) valid++;
      passed += outcome.passed;
      faults.push(...outcome.faults);
    }
    if (valid !== node.allOf.length) {
      faults.push(combined(`"${path}" must validate all the schemas (allOf)${valid === 0 ? ". None validated" : ""}`));
    }
  }
  if (node.not !== undefined && deep(node.not, value, path).faults.length === 0) {
    faults.push(combined(`"${path}" must not validate the schema (not)`));
  }
  return faults.length === before ? passed + 1 : passed;
}

function combined(text: string): FieldError {
  return fieldInvalid("<nil>", "", text);
}

/** Sets hold nothing twice, maps no two items with the same keys. As deep as the schema. */
function checkLists(node: SchemaNode, value: JsonValue, path: string, faults: FieldError[]): void {
  if (!node.hasListTypes || faults.length > maxFaults) return;
  if (Array.isArray(value)) {
    if (node.listType === "set")
      checkDistinct(
        value,
        (item) => encodeJson(item),
        path,
        faults,
        (item) => item,
      );
    if (node.listType === "map") checkMapItems(node, value, path, faults);
    const { items } = node;
    if (items?.hasListTypes)
      for (const [index, item] of value.entries()) checkLists(items, item, `${path}[${index}]`, faults);
    return;
  }
  if (!isJsonObject(value)) return;
  for (const [key, inner] of childrenOf(node, value)) {
    const isProperty = node.properties.has(key);
    const innerPath = isProperty ? (path === "" ? key : `${path}.${key}`) : `${path}[${key}]`;
    checkLists(inner, value[key] as JsonValue, innerPath, faults);
  }
}

function checkMapItems(node: SchemaNode, value: readonly JsonValue[], path: string, faults: FieldError[]): void {
  for (const [index, item] of value.entries()) {
    if (item === null || isJsonObject(item)) continue;
    faults.push(fieldInvalid(`${path}[${index}]`, item, "must be an object for an array of list-type map"));
    return;
  }
  const keysOf = (item: JsonValue): JsonObject => {
    const keys: JsonObject = {};
    for (const key of node.listMapKeys) {
      const found = isJsonObject(item) ? item[key] : undefined;
      if (found !== undefined) keys[key] = found;
    }
    return keys;
  };
  checkDistinct(
    value.filter((item) => item !== null),
    (item) => encodeJson(keysOf(item)),
    path,
    faults,
    keysOf,
  );
}

function checkDistinct(
  value: readonly JsonValue[],
  textOf: (item: JsonValue) => string,
  path: string,
  faults: FieldError[],
  shown: (item: JsonValue) => JsonValue,
): void {
  const seen = new Map<string, number>();
  for (const [index, item] of value.entries()) {
    const text = textOf(item);
    const times = seen.get(text) ?? 0;
    seen.set(text, times + 1);
    // The second is named, further ones aren't.
    if (times === 1) faults.push(fieldDuplicate(`${path}[${index}]`, shown(item)));
  }
}
