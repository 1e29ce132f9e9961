/**
 * Whether a value fits its type, in the words of structured-merge-diff.
 *
 * Kubernetes tells several faults in no order; here they come in the order in which fields were sent.
 * Source: structured-merge-diff typed/{validate,helpers}.go.
 */
import { isJsonObject, type JsonValue } from "../apimachinery/json.ts";
import { type ApplyType, type ListType, type MapType, type ScalarType, treatedAs, typeOfKey } from "./apply-type.ts";
import { goPlain, goSyntax, goType } from "./go-value.ts";
import { elementOfItem, ItemError } from "./list-items.ts";
import { formatElement } from "./path-element.ts";

/** What is wrong, and where: `.spec.size`, seen from the value that is walked. */
interface Fault {
  readonly path: string;
  readonly message: string;
}

interface Walk {
  readonly allowDuplicates: boolean;
  readonly faults: Fault[];
}

/** Faults that are told of one value at most: a request of 3 MB can hold as many as it has fields. */
const maxFaults = 100;

/** How strict. */
export interface ValidateOptions {
  /** Whether an associative list may hold an item twice: what is stored may, what is applied may not. */
  readonly allowDuplicates: boolean;
}

/** Gives what is wrong with a value, undefined if it fits. */
export function validationError(type: ApplyType, value: JsonValue, options: ValidateOptions): string | undefined {
  const faults: Fault[] = [];
  visit(type, value, { ...options, faults });
  if (faults.length === 0) return undefined;
  const texts = faults.slice(0, maxFaults).map(({ path, message }) => (path === "" ? message : `${path}: ${message}`));
  return texts.length === 1 ? texts[0] : `errors:\n${texts.map((text) => `  ${text}`).join("\n")}`;
}

function visit(type: ApplyType, value: JsonValue, walk: Walk): void {
  if (type.isOpen || value === null || walk.faults.length > maxFaults) return;
  switch (treatedAs(type, value)) {
    case "scalar":
      return visitScalar(type.scalar as ScalarType, value, walk);
    case "list":
      return visitList(type.list as ListType, value, walk);
    case "map":
      return visitMap(type.map as MapType, value, walk);
    default:
      throw new TypeError("a type that allows nothing");
  }
}

function visitScalar(scalar: ScalarType, value: JsonValue, walk: Walk): void {
  const kind = typeof value === "bigint" ? "number" : typeof value;
  if (kind === kindOf[scalar] || (scalar === "untyped" && kind !== "object")) return;
  const message = {
    numeric: () => `expected numeric (int or float), got ${goType(value)}`,
    string: () => `expected string, got &value.valueUnstructured{Value:${goSyntax(value)}}`,
    boolean: () => `expected boolean, got &{${goPlain(value)}}`,
    untyped: () => `expected any scalar, got &{${goPlain(value)}}`,
  }[scalar];
  walk.faults.push({ path: "", message: message() });
}

const kindOf = { numeric: "number", string: "string", boolean: "boolean", untyped: "" } as const;

function visitList(list: ListType, value: JsonValue, walk: Walk): void {
  if (!Array.isArray(value)) {
    walk.faults.push({ path: "", message: `expected list, got &{${goPlain(value)}}` });
    return;
  }
  if (list.isAtomic && list.items.isOpen) return;
  const seen = new Set<string>();
  for (const [index, item] of value.entries()) {
    let element = "";
    if (list.isAtomic) element = `i:${index}`;
    else {
      try {
        element = elementOfItem(list, item);
      } catch (error) {
        if (!(error instanceof ItemError)) throw error;
        walk.faults.push({ path: "", message: `element ${index}: ${error.message}` });
        return;
      }
      if (seen.has(element) && !walk.allowDuplicates) {
        walk.faults.push({ path: "", message: `duplicate entries for key ${formatElement(element)}` });
      }
      seen.add(element);
    }
    if (!list.items.isOpen) visitBelow(list.items, item, () => formatElement(element), walk);
  }
}

function visitMap(map: MapType, value: JsonValue, walk: Walk): void {
  if (!isJsonObject(value)) {
    walk.faults.push({ path: "", message: `expected map, got &{${goPlain(value)}}` });
    return;
  }
  for (const key of Object.keys(value)) {
    const type = typeOfKey(map, key);
    if (type === undefined) {
      walk.faults.push({ path: `.${key}`, message: "field not declared in schema" });
      return;
    }
    if (!type.isOpen) visitBelow(type, value[key] as JsonValue, () => `.${key}`, walk);
  }
}

/** Paths are put together only where something is wrong. */
function visitBelow(type: ApplyType, value: JsonValue, step: () => string, walk: Walk): void {
  const { faults } = walk;
  const before = faults.length;
  visit(type, value, walk);
  for (let index = before; index < faults.length; index++) {
    const { path, message } = faults[index] as Fault;
    faults[index] = { path: step() + path, message };
  }
}
