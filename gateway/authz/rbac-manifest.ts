/**
 * Reads an RBAC manifest: YAML documents of Role, ClusterRole, RoleBinding and ClusterRoleBinding,
 * or Lists of them, as `kubectl apply` would take them.
 *
 * Strict, because a field that is misspelled would take away or give permissions without a word:
 * every fault is reported with file, line and field, all at once. Aggregated ClusterRoles get the
 * rules that a cluster's controller would give them.
 * Source: kubernetes pkg/apis/rbac/validation/validation.go, pkg/apis/rbac/v1/defaults.go.
 */
import { LineCounter, parseAllDocuments } from "yaml";
import { goQuote } from "../apimachinery/go-text.ts";
import {
  type Fields,
  fault,
  fieldOf,
  isMissing,
  itemsOf,
  mapOf,
  type Place,
  type Reader,
  refuseOthers,
  required,
  syntaxFault,
  textOf,
  textsByKey,
  textsOf,
  unsupported,
} from "./manifest-reader.ts";
import {
  aggregateRoles,
  type Binding,
  isRole,
  type LabelSelector,
  type PolicyRule,
  type RbacObject,
  type Role,
  type Subject,
} from "./rbac-objects.ts";

const group = "rbac.authorization.k8s.io";
const kinds = ["Role", "ClusterRole", "RoleBinding", "ClusterRoleBinding"] as const;
type Kind = (typeof kinds)[number];

/** A manifest that can't be taken. The message has a line for each fault: `file:line: field: what is wrong`. */
export class ManifestError extends Error {
  override readonly name = "ManifestError";
}

/** One manifest: its text, and its file's name for messages. */
export interface RbacManifest {
  readonly file: string;
  readonly text: string;
}

/**
 * Reads manifests that belong together: aggregated ClusterRoles get their rules from all of them.
 * @throws ManifestError with every fault of the first manifest that has any.
 */
export function loadRbacManifests(manifests: readonly RbacManifest[]): RbacObject[] {
  const objects = manifests.flatMap(({ file, text }) => parseRbacManifest(text, file));
  return [...aggregateRoles(objects.filter(isRole)), ...objects.filter((object) => !isRole(object))];
}

/**
 * Reads the text of one manifest; aggregated ClusterRoles keep the rules that they list.
 *
 * @param file its name, for messages.
 * @throws ManifestError with every fault.
 */
export function parseRbacManifest(text: string, file: string): RbacObject[] {
  const lines = new LineCounter();
  const faults: string[] = [];
  const objects: RbacObject[] = [];
  for (const document of parseAllDocuments(text, { lineCounter: lines, uniqueKeys: true })) {
    for (const error of document.errors) faults.push(syntaxFault(error, file));
    if (document.errors.length > 0 || document.contents === null || isMissing(document.contents)) continue;
    const reader: Reader = { document, lines, file, faults };
    readDocument(reader, { node: document.contents, path: "" }, objects);
  }
  reportTwins(objects, file, faults);
  if (faults.length > 0) throw new ManifestError(faults.join("\n"));
  return objects;
}

/** A document is one object or a List of objects; no List in a List, which an alias could make endless. */
function readDocument(reader: Reader, place: Place, objects: RbacObject[]): void {
  const fields = mapOf(reader, place) ?? new Map();
  const isList = textOf(reader, fieldOf(fields, place, "kind")) === "List";
  for (const one of isList ? itemsOf(reader, fieldOf(fields, place, "items")) : [place]) {
    const object = readObject(reader, one);
    if (object !== undefined) objects.push(object);
  }
}

function readObject(reader: Reader, place: Place): RbacObject | undefined {
  const fields = mapOf(reader, place);
  if (fields === undefined) return undefined;
  const at = (name: string) => fieldOf(fields, place, name);
  const kind = kinds.find((one) => one === textOf(reader, at("kind")));
  if (kind === undefined) {
    unsupported(reader, at("kind"), kinds);
    return undefined;
  }
  const apiVersion = textOf(reader, at("apiVersion"));
  if (apiVersion !== `${group}/v1`) unsupported(reader, at("apiVersion"), [`${group}/v1`]);
  const meta = readMetadata(reader, at("metadata"), kind);
  const base = ["apiVersion", "kind", "metadata"];
  if (kind === "Role" || kind === "ClusterRole") {
    refuseOthers(reader, place, fields, [...base, "rules", ...(kind === "ClusterRole" ? ["aggregationRule"] : [])]);
    return {
      kind,
      ...meta,
      rules: itemsOf(reader, at("rules")).map((rule) => readRule(reader, rule, kind)),
      aggregate: readAggregation(reader, at("aggregationRule")),
    };
  }
  refuseOthers(reader, place, fields, [...base, "roleRef", "subjects"]);
  return {
    kind,
    namespace: meta.namespace,
    name: meta.name,
    roleRef: readRoleRef(reader, at("roleRef"), kind),
    subjects: itemsOf(reader, at("subjects")).map((subject) => readSubject(reader, subject, kind)),
  };
}

function readMetadata(reader: Reader, place: Place, kind: Kind): Pick<Role, "namespace" | "name" | "labels"> {
  const fields = mapOf(reader, place) ?? new Map();
  const name = textOf(reader, fieldOf(fields, place, "name"));
  const namespace = textOf(reader, fieldOf(fields, place, "namespace"));
  const isNamespaced = kind === "Role" || kind === "RoleBinding";
  if (name === "") required(reader, fieldOf(fields, place, "name"));
  if (isNamespaced && namespace === "") required(reader, fieldOf(fields, place, "namespace"));
  if (!isNamespaced && namespace !== "") {
    fault(reader, fieldOf(fields, place, "namespace"), "Forbidden: not allowed on this type");
  }
  return { name, namespace, labels: textsByKey(reader, fieldOf(fields, place, "labels")) };
}

function readRule(reader: Reader, place: Place, kind: "Role" | "ClusterRole"): PolicyRule {
  const fields = mapOf(reader, place) ?? new Map();
  refuseOthers(reader, place, fields, ["verbs", "apiGroups", "resources", "resourceNames", "nonResourceURLs"]);
  const list = (name: string) => textsOf(reader, fieldOf(fields, place, name));
  const rule: PolicyRule = {
    verbs: list("verbs"),
    apiGroups: list("apiGroups"),
    resources: list("resources"),
    resourceNames: list("resourceNames"),
    nonResourceURLs: list("nonResourceURLs"),
  };
  const missing = (name: string, why: string) => required(reader, fieldOf(fields, place, name), why);
  if (rule.verbs.length === 0) missing("verbs", "verbs must contain at least one value");
  if (rule.nonResourceURLs.length > 0) {
    const shown = `Invalid value: ${JSON.stringify(rule.nonResourceURLs)}:`;
    const urls = fieldOf(fields, place, "nonResourceURLs");
    if (kind === "Role") fault(reader, urls, `${shown} namespaced rules cannot apply to non-resource URLs`);
    if (rule.apiGroups.length + rule.resources.length + rule.resourceNames.length > 0) {
      fault(reader, urls, `${shown} rules cannot apply to both regular resources and non-resource URLs`);
    }
    return rule;
  }
  if (rule.apiGroups.length === 0) missing("apiGroups", "resource rules must supply at least one api group");
  if (rule.resources.length === 0) missing("resources", "resource rules must supply at least one resource");
  return rule;
}

function readAggregation(reader: Reader, place: Place): LabelSelector[] {
  if (place.node === undefined) return [];
  const fields = mapOf(reader, place) ?? new Map();
  refuseOthers(reader, place, fields, ["clusterRoleSelectors"]);
  const list = fieldOf(fields, place, "clusterRoleSelectors");
  const selectors = itemsOf(reader, list).map((selector) => readSelector(reader, selector));
  if (selectors.length === 0)
    required(reader, list, "at least one clusterRoleSelector required if aggregationRule is non-nil");
  return selectors;
}

function readSelector(reader: Reader, place: Place): LabelSelector {
  const fields = mapOf(reader, place) ?? new Map();
  refuseOthers(reader, place, fields, ["matchLabels", "matchExpressions"]);
  return {
    matchLabels: textsByKey(reader, fieldOf(fields, place, "matchLabels")),
    matchExpressions: itemsOf(reader, fieldOf(fields, place, "matchExpressions")).map((one) => {
      const parts = mapOf(reader, one) ?? new Map();
      refuseOthers(reader, one, parts, ["key", "operator", "values"]);
      const key = textOf(reader, fieldOf(parts, one, "key"));
      const operator = textOf(reader, fieldOf(parts, one, "operator"));
      const values = textsOf(reader, fieldOf(parts, one, "values"));
      if (key === "") required(reader, fieldOf(parts, one, "key"));
      checkOperator(reader, one, parts, operator, values);
      return { key, operator, values };
    }),
  };
}

function checkOperator(
  reader: Reader,
  place: Place,
  fields: Fields,
  operator: string,
  values: readonly string[],
): void {
  const at = fieldOf(fields, place, "values");
  if (operator === "In" || operator === "NotIn") {
    if (values.length === 0) required(reader, at, "must be specified when `operator` is 'In' or 'NotIn'");
  } else if (operator === "Exists" || operator === "DoesNotExist") {
    const why = "may not be specified when `operator` is 'Exists' or 'DoesNotExist'";
    if (values.length > 0) fault(reader, at, `Forbidden: ${why}`);
  } else {
    const shown = `Invalid value: ${goQuote(operator)}: not a valid selector operator`;
    fault(reader, fieldOf(fields, place, "operator"), shown);
  }
}

function readRoleRef(reader: Reader, place: Place, kind: Kind): Binding["roleRef"] {
  const fields = mapOf(reader, place) ?? new Map();
  if (place.node === undefined) required(reader, place);
  refuseOthers(reader, place, fields, ["apiGroup", "kind", "name"]);
  const ref = {
    kind: textOf(reader, fieldOf(fields, place, "kind")),
    name: textOf(reader, fieldOf(fields, place, "name")),
  };
  checkGroup(reader, fieldOf(fields, place, "apiGroup"), group);
  const roles = kind === "RoleBinding" ? ["Role", "ClusterRole"] : ["ClusterRole"];
  if (!roles.includes(ref.kind)) unsupported(reader, fieldOf(fields, place, "kind"), roles);
  if (ref.name === "") required(reader, fieldOf(fields, place, "name"));
  return ref;
}

function readSubject(reader: Reader, place: Place, binding: Kind): Subject {
  const fields = mapOf(reader, place) ?? new Map();
  refuseOthers(reader, place, fields, ["apiGroup", "kind", "name", "namespace"]);
  const kind = textOf(reader, fieldOf(fields, place, "kind"));
  const name = textOf(reader, fieldOf(fields, place, "name"));
  const namespace = textOf(reader, fieldOf(fields, place, "namespace"));
  if (name === "") required(reader, fieldOf(fields, place, "name"));
  if (kind !== "User" && kind !== "Group" && kind !== "ServiceAccount") {
    unsupported(reader, fieldOf(fields, place, "kind"), ["ServiceAccount", "User", "Group"]);
    return { kind: "User", name, namespace };
  }
  checkGroup(reader, fieldOf(fields, place, "apiGroup"), kind === "ServiceAccount" ? "" : group);
  // In a namespace it may be left out and is then the binding's.
  if (kind === "ServiceAccount" && namespace === "" && binding === "ClusterRoleBinding") {
    required(reader, fieldOf(fields, place, "namespace"));
  }
  return { kind, name, namespace };
}

function checkGroup(reader: Reader, place: Place, wanted: string): void {
  if (place.node !== undefined && textOf(reader, place) !== wanted) unsupported(reader, place, [wanted]);
}

function reportTwins(objects: readonly RbacObject[], file: string, faults: string[]): void {
  const seen = new Set<string>();
  for (const { kind, namespace, name } of objects) {
    const key = JSON.stringify([kind, namespace, name]);
    if (seen.has(key)) faults.push(`${file}: ${kind} ${goQuote(name)} is defined twice`);
    seen.add(key);
  }
}
