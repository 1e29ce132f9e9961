/**
 * Which objects of a collection a request is about: namespace, name and both selectors.
 *
 * Fields that can be selected are metadata.name, metadata.namespace and what the version declares.
 * Source: apiextensions-apiserver pkg/apiserver/conversion (field labels), pkg/registry/customresource.
 */
import { isJsonObject, type JsonValue } from "../apimachinery/json.ts";
import { labelsOf, type ObjectView } from "../apimachinery/object.ts";
import type { ListOptions } from "../apimachinery/options.ts";
import { matchesFields, matchesLabels, parseFieldSelector, parseLabelSelector } from "../apimachinery/selectors.ts";
import { badRequest } from "../apimachinery/status.ts";
import type { ObjectKey } from "../registry/registry.ts";
import type { KeyRange } from "../watchcache/watchcache.ts";
import type { Sees } from "./ownership.ts";
import type { VerbRequest } from "./verb-request.ts";

/** A request's selection. */
export interface Selection {
  /** True without selectors, a name and objects that are hidden: the store's count holds. */
  readonly isEverything: boolean;
  /** Whether the key alone doesn't rule the object out. */
  matchesKey(key: ObjectKey): boolean;
  matches(key: ObjectKey, view: ObjectView): boolean;
}

/**
 * Reads a request's selectors.
 *
 * @param sees which objects are there for the user. Undefined: all.
 * @throws StatusError 400 for a selector that can't be read or a field that can't be selected.
 */
export function parseSelection(request: VerbRequest, options: ListOptions, sees?: Sees): Selection {
  const { definition, version } = request.resource;
  const labels = parsed(() => parseLabelSelector(options.labelSelector));
  const fields = parsed(() => parseFieldSelector(options.fieldSelector));
  const paths = new Map<string, readonly string[]>();
  for (const requirement of fields.requirements) {
    const field = requirement.field;
    if (field === "metadata.name" || (field === "metadata.namespace" && definition.namespaced)) continue;
    if (!version.selectableFields.includes(`.${field}`)) throw badRequest(`field label not supported: ${field}`);
    paths.set(field, field.split("."));
  }
  const { namespace, name } = request.info;
  const hasLabels = labels.requirements.length > 0;
  const hasFields = fields.requirements.length > 0;
  const matchesKey = (key: ObjectKey) =>
    (namespace === "" || key.namespace === namespace) && (name === "" || key.name === name);
  return {
    isEverything: !hasLabels && !hasFields && name === "" && sees === undefined,
    matchesKey,
    matches(key, view) {
      if (!matchesKey(key) || sees?.(view) === false) return false;
      if (hasLabels && !matchesLabels(labels, view.labels ?? labelsOf(view.value))) return false;
      if (!hasFields) return true;
      return matchesFields(fields, (field) => {
        if (field === "metadata.name") return key.name;
        if (field === "metadata.namespace") return key.namespace;
        return fieldText(view.value, paths.get(field) ?? []);
      });
    },
  };
}

/** Gives the keys of the copy that a request is about, those after `after` if that is given. */
export function keyRange({ info, resource }: VerbRequest, after?: string): KeyRange {
  const { namespace, name } = info;
  const isWhole = namespace === "" && resource.definition.namespaced;
  // A slash ends the namespace, and "0" is the character after it. NUL is the first that may follow a key.
  const prefix = `${namespace}/`;
  const [first, end] = isWhole ? [undefined, undefined] : [prefix, `${namespace}0`];
  if (after !== undefined) return { from: `${after}\u0000`, to: end };
  return name === "" || isWhole ? { from: first, to: end } : { from: `${prefix}${name}`, to: `${prefix}${name}\u0000` };
}

/** A declared field as selectors compare it: scalars by their text, anything else as nothing. */
function fieldText(value: JsonValue, path: readonly string[]): string {
  let at: JsonValue | undefined = value;
  for (const part of path) at = isJsonObject(at) ? at[part] : undefined;
  return typeof at === "string" || typeof at === "number" || typeof at === "bigint" || typeof at === "boolean"
    ? String(at)
    : "";
}

function parsed<T>(parse: () => T): T {
  try {
    return parse();
  } catch (error) {
    throw badRequest((error as Error).message);
  }
}
