/**
 * Validation of an object against its schema, with kube-apiserver's messages and in its order: values,
 * then embedded resources, then lists of type set and map.
 *
 * The walk over objects and lists has its own stack; what stands inside allOf, anyOf, oneOf and not
 * is as deep as the schema, which is bounded. On an update the faults of a value that is the same as
 * before are dropped: what was accepted stays accepted.
 * Source: apiextensions-apiserver pkg/registry/customresource/{strategy,status_strategy,validator}.go,
 * pkg/apiserver/validation/{validation,ratcheting}.go; kube-openapi pkg/validation/validate.
 */
import type { FieldError } from "../apimachinery/field-error.ts";
import type { JsonObject, JsonValue } from "../apimachinery/json.ts";
import type { Steps } from "../apimachinery/steps.ts";
import { type EmbeddedMetadataCheck, validateEmbedded } from "./embedded.ts";
import { listTypeSteps } from "./list-types.ts";
import { nodeOfKey, type Schema, type SchemaNode } from "./node.ts";
import { checkChildless, checkClosing, childName, outcomeOf } from "./node-rules.ts";
import { distinctFaults, Outcome } from "./outcome.ts";
import { type FindOldItem, isUnchangedValue, oldField, oldItems } from "./ratchet.ts";

/** Faults that are collected: a broken 3 MiB object must not become an answer of gigabytes. */
const maxFaults = 1000;

/** What validation is given besides the object. */
export interface ValidateOptions {
  /** Checks the metadata of an embedded resource; without it only the types of its fields are checked. */
  readonly embeddedMetadata?: EmbeddedMetadataCheck;
}

/**
 * Validates an object. A unit is one value.
 *
 * @param old the object as it was, for an update.
 */
export function validateSteps(
  schema: Schema,
  object: JsonObject,
  old?: JsonObject,
  options: ValidateOptions = {},
): Steps<readonly FieldError[]> {
  const { root } = schema;
  const out = new Outcome("");
  return inOrder([
    { work: () => valueSteps(root, object, old, out), faults: () => distinctFaults(out.faults) },
    {
      work: () => {
        const faults: FieldError[] = [];
        if (root.hasEmbedded) validateEmbedded(root, object, "", faults, options.embeddedMetadata);
        return done(faults);
      },
    },
    ...listTypeParts(root, object, old),
  ]);
}

/** Validates the status of an object whose other parts can't change. A unit is one value. */
export function validateStatusSteps(schema: Schema, object: JsonObject, old: JsonObject): Steps<readonly FieldError[]> {
  const { root } = schema;
  const node = root.properties.get("status");
  const status = object["status"];
  const out = new Outcome("status");
  return inOrder([
    {
      work: () =>
        node === undefined || status === undefined ? done([]) : valueSteps(node, status, old["status"] ?? null, out),
      faults: () => distinctFaults(out.faults),
    },
    ...listTypeParts(root, object, old),
  ]);
}

/** Validates a small value at once. `path` is where it stands. */
export function validateNow(node: SchemaNode, value: JsonValue, path: string): readonly FieldError[] {
  return distinctFaults(outcomeOf(node, value, "", new Outcome(path)).faults);
}

interface Part {
  /** Begins the work; its result is the faults, unless `faults` gives them. */
  readonly work: () => Steps<readonly FieldError[]>;
  readonly faults?: () => readonly FieldError[];
  /** Whether the part counts, by the faults so far of the part before it. */
  readonly isGuard?: boolean;
}

/** Lists that were wrong before don't stop an update of something else. */
function listTypeParts(root: SchemaNode, object: JsonObject, old: JsonObject | undefined): readonly Part[] {
  if (!root.hasListTypes) return [];
  const check: Part = { work: () => listTypeSteps(root, object, maxFaults) };
  return old === undefined ? [check] : [{ work: () => listTypeSteps(root, old, 0), isGuard: true }, check];
}

/** Runs parts one after the other. A guard that finds faults ends the work, and its faults don't count. */
function inOrder(parts: readonly Part[]): Steps<readonly FieldError[]> {
  const found: FieldError[] = [];
  let next = 0;
  let current: Steps<readonly FieldError[]> | undefined;
  return {
    step(units) {
      while (next < parts.length) {
        const part = parts[next] as Part;
        current ??= part.work();
        if (!current.step(units)) return false;
        const faults = part.faults === undefined ? current.result() : part.faults();
        current = undefined;
        next = part.isGuard && faults.length > 0 ? parts.length : next + 1;
        if (!part.isGuard) found.push(...faults);
      }
      return true;
    },
    result: () => found,
  };
}

function done(faults: readonly FieldError[]): Steps<readonly FieldError[]> {
  return { step: () => true, result: () => faults };
}

/** A list or an object whose children are being looked at. */
interface Frame {
  readonly value: readonly JsonValue[] | JsonObject;
  readonly old: JsonValue | undefined;
  readonly node: SchemaNode;
  readonly name: string;
  /** How many faults there were before the value. */
  readonly faultsBefore: number;
  /** An object's keys; undefined: a list. */
  readonly keys: readonly string[] | undefined;
  /** Reads a list's old items; done before the first item is opened. */
  readonly oldItems: Steps<FindOldItem>;
  oldItem: FindOldItem | undefined;
  readonly size: number;
  next: number;
}

function valueSteps(
  root: SchemaNode,
  whole: JsonValue,
  old: JsonValue | undefined,
  out: Outcome,
): Steps<readonly FieldError[]> {
  const { faults } = out;
  const stack: Frame[] = [];
  let isBegun = false;

  function open(value: JsonValue, before: JsonValue | undefined, node: SchemaNode, name: string): void {
    const faultsBefore = faults.length;
    if (checkChildless(node, value, name, out)) return settle(node, value, before, faultsBefore);
    const isList = Array.isArray(value);
    const keys = isList ? undefined : Object.keys(value as JsonObject);
    stack.push({
      value: value as JsonObject | JsonValue[],
      old: before,
      node,
      name,
      faultsBefore,
      keys,
      oldItems: oldItems(node, isList ? before : undefined),
      oldItem: isList ? undefined : noOldItem,
      size: keys?.length ?? (node.items === undefined ? 0 : (value as JsonValue[]).length),
      next: 0,
    });
  }

  function settle(node: SchemaNode, value: JsonValue, before: JsonValue | undefined, faultsBefore: number): void {
    if (faults.length > faultsBefore && isUnchangedValue(node, value, before)) faults.length = faultsBefore;
  }

  function openNext(frame: Frame): void {
    const { value, node, name, keys } = frame;
    const index = frame.next++;
    if (keys === undefined) {
      const item = (value as readonly JsonValue[])[index] as JsonValue;
      return open(item, frame.oldItem?.(item), node.items as SchemaNode, `${name}[${index}]`);
    }
    const key = keys[index] as string;
    const inner = nodeOfKey(node, key);
    if (inner === undefined) return;
    // Both states are shown in the version asked for: that apiVersion is the same says nothing. Go
    // goes by the name alone, so it holds for a status' own fields of these names too.
    const isTypeMeta = name === "" && (key === "apiVersion" || key === "kind");
    const before = isTypeMeta ? undefined : oldField(frame.old, key);
    open((value as JsonObject)[key] as JsonValue, before, inner, childName(node, name, key));
  }

  function close({ value, old: before, node, name, faultsBefore }: Frame): void {
    checkClosing(node, value as JsonValue, name, out);
    settle(node, value as JsonValue, before, faultsBefore);
  }

  return {
    step(units) {
      if (!isBegun) open(whole, old, root, "");
      isBegun = true;
      for (let left = units; left > 0; left--) {
        const frame = faults.length > maxFaults ? undefined : stack.at(-1);
        if (frame === undefined) return true;
        if (frame.oldItem === undefined) {
          if (frame.oldItems.step(1)) frame.oldItem = frame.oldItems.result();
        } else if (frame.next < frame.size) openNext(frame);
        else close(stack.pop() as Frame);
      }
      return stack.length === 0;
    },
    result: () => faults,
  };
}

const noOldItem = () => undefined;
