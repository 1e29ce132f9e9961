/**
 * Lists of type set hold nothing twice, lists of type map no two items with the same keys.
 *
 * A walk with its own stack over the parts of an object that hold such lists.
 * Source: apiextensions-apiserver pkg/apiserver/schema/listtype/validation.go.
 */
import { type FieldError, fieldDuplicate, fieldInvalid } from "../apimachinery/field-error.ts";
import { comparableText, isJsonObject, type JsonObject, type JsonValue } from "../apimachinery/json.ts";
import type { Steps } from "../apimachinery/steps.ts";
import { childPath, type SchemaNode } from "./node.ts";

/** A part of the work; a call is a unit. What is left of it, it puts on the stack itself. */
type Work = () => void;

/** Finds duplicates. A unit is one object, or one item of a list. */
export function listTypeSteps(root: SchemaNode, object: JsonObject, maxFaults: number): Steps<readonly FieldError[]> {
  const faults: FieldError[] = [];
  const stack: Work[] = root.hasListTypes ? [() => visit(object, root, "")] : [];

  function visit(value: JsonValue, node: SchemaNode, path: string): void {
    if (isJsonObject(value)) return visitFields(value, node, path);
    if (!Array.isArray(value)) return;
    const { items } = node;
    if (items?.hasListTypes === true) {
      stack.push(eachOf(value, (item, index) => stack.push(() => visit(item, items, `${path}[${index}]`))));
    }
    if (node.listType === "set") stack.push(distinct(value, path, (item) => item, comparableText));
    else if (node.listType === "map" && hasObjects(value, path)) {
      const { listMapKeys } = node;
      stack.push(
        distinct(
          value,
          path,
          (item) => keysOf(listMapKeys, item),
          (item) => textOfKeys(listMapKeys, item),
        ),
      );
    }
  }

  function visitFields(value: JsonObject, node: SchemaNode, path: string): void {
    const { additional } = node;
    for (const [key, inner] of node.listTyped) {
      const child = value[key];
      if (child !== undefined) stack.push(() => visit(child, inner, childPath(path, key)));
    }
    if (typeof additional !== "object" || !additional.hasListTypes) return;
    for (const key of Object.keys(value).sort().reverse()) {
      if (!node.properties.has(key)) stack.push(() => visit(value[key] as JsonValue, additional, `${path}[${key}]`));
    }
  }

  function hasObjects(value: readonly JsonValue[], path: string): boolean {
    const index = value.findIndex((item) => item !== null && !isJsonObject(item));
    if (index < 0) return true;
    const what = "must be an object for an array of list-type map";
    faults.push(fieldInvalid(`${path}[${index}]`, value[index] as JsonValue, what));
    return false;
  }

  /** `subject`: what of an item counts; `textOf`: a text for it, the same for the same. */
  function distinct(
    value: readonly JsonValue[],
    path: string,
    subject: (item: JsonValue) => JsonValue,
    textOf: (item: JsonValue) => string,
  ): Work {
    const seen = new Map<string, number>();
    return eachOf(value, (item, index) => {
      const text = textOf(item);
      const times = seen.get(text) ?? 0;
      seen.set(text, times + 1);
      // The second is named, further ones aren't.
      if (times === 1) faults.push(fieldDuplicate(`${path}[${index}]`, subject(item)));
    });
  }

  /** Looks at one item a unit; what it puts on the stack comes before the next item. */
  function eachOf(value: readonly JsonValue[], look: (item: JsonValue, index: number) => void): Work {
    let next = 0;
    return function work() {
      if (next === value.length) return;
      const index = next++;
      stack.push(work);
      look(value[index] as JsonValue, index);
    };
  }

  return {
    step(units) {
      for (let left = units; left > 0; left--) {
        const work = faults.length > maxFaults ? undefined : stack.pop();
        if (work === undefined) return true;
        work();
      }
      return stack.length === 0;
    },
    result: () => faults,
  };
}

/** The keys of an item; of null none. */
function keysOf(names: readonly string[], item: JsonValue): JsonObject {
  const keys: JsonObject = {};
  if (!isJsonObject(item)) return keys;
  for (const name of names) {
    const found = item[name];
    if (found !== undefined) keys[name] = found;
  }
  return keys;
}

function textOfKeys(names: readonly string[], item: JsonValue): string {
  if (!isJsonObject(item)) return ",".repeat(names.length);
  let text = "";
  for (const name of names) {
    const found = item[name];
    // A missing key is none of the values.
    text += found === undefined ? "," : `${comparableText(found)},`;
  }
  return text;
}
